"""The addresses of the founding documents under /api, for clients that were written for them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc.aio
from starlette import requests, responses

from rushes.compiler.v1 import compiler_service_pb2
from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards_pb
from services.studio.rest import binding, calls, founding_words, media, problems, refusals, single, videos

Answers = Callable[[requests.Request, Mapping[str, str]], Awaitable[responses.Response]]
_LISTED, _SOUGHT = 50, 20
_EDITABLE = {"name": "name", "presetKey": "preset", "character": "characters", "scenes": "scenes"}
_BROWSER = boards_pb.FILE_FORMAT_BROWSER_JSON
_NO_BOARD, _NO_JOB = "Storyboard not found", "Job not found"


class Founding:
    """All addresses of storyboards and videos."""

    def __init__(self, services: calls.Services) -> None:
        self._services = services

    def routes(self) -> list[tuple[str, str, Answers]]:
        """Method, path and what answers."""
        board, video = "/api/storyboards/{id}", "/api/videos/{id}"
        plain: list[tuple[str, str, Callable[..., Awaitable[Any]], str]] = [
            ("GET", "/api/storyboards", self._list_boards, _NO_BOARD),
            ("POST", "/api/storyboards", self._create_board, _NO_BOARD),
            ("GET", board, self._get_board, _NO_BOARD),
            ("PATCH", board, self._change_board, _NO_BOARD),
            ("DELETE", board, self._delete_board, _NO_BOARD),
            ("POST", "/api/video/generate", self._generate, _NO_BOARD),
            ("GET", "/api/video/status/{id}", self._status, _NO_JOB),
            ("POST", "/api/videos", self._create_video, _NO_JOB),
            ("GET", "/api/videos", self._list_videos, _NO_JOB),
            ("GET", video, self._get_video, _NO_JOB),
            ("GET", video + "/media", self._media, _NO_JOB),
            ("GET", video + "/sora-status", self._sora_status, _NO_JOB),
            ("POST", video + "/retry", self._retry, _NO_JOB),
            ("POST", video + "/reset-sora", self._reset, _NO_JOB),
        ]
        return [(method, path, door(handler, missing)) for method, path, handler, missing in plain]

    async def _list_boards(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        words = request.query_params.get("q", "")
        asked = boards_pb.ListStoryboardsRequest(query=words, page_size=_SOUGHT if words else _LISTED)
        found = (await self._ask(request, "boards.ListStoryboards", asked)).storyboards
        return {"success": True, "storyboards": [founding_words.listed(it) for it in found]}

    async def _create_board(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        told = await _object(request)
        key = binding.request_id(request)
        asked = boards_pb.ImportStoryboardRequest(request_id=key, format=_BROWSER, data=_dumped({"scenes": []} | told))
        board = (await self._ask(request, "boards.ImportStoryboard", asked)).storyboard
        return responses.JSONResponse({"success": True, "storyboard": await self._shown(request, board)}, 201)

    async def _get_board(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        board = await self._board(request, path["id"])
        asked = job_service_pb2.ListProductionsRequest(storyboard_id=board.id, page_size=1)
        jobs: list[job_pb2.Job] = []
        for newest in (await self._ask(request, "jobs.ListProductions", asked)).productions:
            wanted = job_service_pb2.GetProductionRequest(production_id=newest.id)
            jobs += (await self._ask(request, "jobs.GetProduction", wanted)).production.jobs
        shown = await self._shown(request, board)
        told = {"success": True, "storyboard": shown | {"videoJobs": [founding_words.status(job) for job in jobs]}}
        return responses.JSONResponse(told, headers={"etag": f'"{board.etag}"'})

    async def _change_board(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        told = await _object(request)
        if unknown := set(told) - set(_EDITABLE):
            raise refusals.bad_request([{"pointer": f"/{name}", "detail": "cannot be changed"} for name in unknown])
        before = await self._board(request, path["id"])
        whole = await self._exported(request, before) | told
        asked = boards_pb.ImportStoryboardRequest(format=_BROWSER, data=_dumped(whole), validate_only=True)
        wanted: storyboard_pb2.Storyboard = (await self._ask(request, "boards.ImportStoryboard", asked)).storyboard
        founding_words.keep_ids(wanted, before, whole.get("scenes") or [])
        wanted.id, wanted.etag = before.id, request.headers.get("if-match", "").strip().strip('"*')
        change = boards_pb.UpdateStoryboardRequest(storyboard=wanted)
        change.update_mask.paths.extend(_EDITABLE[name] for name in told)
        after = (await self._ask(request, "boards.UpdateStoryboard", change)).storyboard if told else before
        return {"success": True, "storyboard": await self._shown(request, after)}

    async def _delete_board(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        await self._board(request, path["id"])
        await self._ask(request, "boards.DeleteStoryboard", boards_pb.DeleteStoryboardRequest(storyboard_id=path["id"]))
        return {"success": True, "message": "Storyboard deleted"}

    async def _generate(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        told = await _object(request)
        app = founding_words.one_scene(told)
        if told.get("storyboardId"):
            app = await self._exported(request, await self._board(request, str(told["storyboardId"]))) | app
        app.pop("rushes", None)
        asked = boards_pb.ImportStoryboardRequest(format=_BROWSER, data=_dumped(app), validate_only=True)
        board = (await self._ask(request, "boards.ImportStoryboard", asked)).storyboard
        model, size = str(told.get("model") or ""), str(told.get("size") or "")
        production = await self._filmed(request, board, model, size)
        job, cost = production.jobs[0], production.most_you_can_pay.micros / 1e6
        shown = {"jobId": job.id, "prompt": job.spec.prompt, "estimatedCost": cost}
        return {"success": True, "status": founding_words.status(job)["status"]} | shown

    async def _create_video(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        wanted = videos.wanted(founding_words.prompt_only(await _object(request)))
        films = single.Films(self._services, request)
        key = binding.request_id(request)
        production, _ = await films.make(wanted, key)
        job = production.jobs[0]
        return responses.JSONResponse({"jobId": job.id, "status": founding_words.PROTOCOL[job.state]}, 202)

    async def _list_videos(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        token = request.query_params.get("page_token", "")
        answer = await self._ask(request, "jobs.ListJobs", job_service_pb2.ListJobsRequest(page_token=token))
        told = {"videos": [founding_words.video(job) for job in answer.jobs]}
        return told | {"next_page_token": answer.next_page_token}

    async def _get_video(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        return founding_words.video(await self._job(request, path["id"]))

    async def _status(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        job = await self._job(request, path["id"])
        told = founding_words.status(job)
        if job.HasField("take"):
            told["videoUrl"] = media.signed(self._services, job.take.clip, f"scene {job.scene_number:03}").url
            still = compiler_service_pb2.ExtractStillRequest(clip=job.take.clip, longest_side=640)
            told["thumbnailUrl"] = (await self._ask(request, "compiler.ExtractStill", still)).media.url
        return told

    async def _sora_status(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        job = await self._job(request, path["id"])
        told: dict[str, Any] = {"status": founding_words.PROTOCOL[job.state], "message": founding_words.message(job)}
        if job.HasField("take"):
            told["videoUrl"] = media.signed(self._services, job.take.clip, f"scene {job.scene_number:03}").url
        return told | ({"error": job.error.message} if job.error.reason else {})

    async def _media(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        job = await self._job(request, path["id"])
        if not job.HasField("take"):
            raise refusals.Refusal(404, "MEDIA_MISSING", "The video is not ready yet.")
        signed = media.signed(self._services, job.take.clip, f"scene {job.scene_number:03}")
        return {"url": signed.url, "expiresAt": signed.expire_time.ToJsonString()}

    async def _retry(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        answer = await self._ask(request, "jobs.RetryJob", job_service_pb2.RetryJobRequest(job_id=path["id"]))
        return {"success": True, "jobId": answer.job.id, "status": founding_words.PROTOCOL[answer.job.state]}

    async def _reset(self, request: requests.Request, path: Mapping[str, str]) -> Any:
        if (await self._job(request, path["id"])).state == job_pb2.Job.STATE_SUCCEEDED:
            raise refusals.Refusal(400, "JOB_SUCCEEDED", "Cannot reset completed generation")
        answer = await self._ask(request, "jobs.RetryJob", job_service_pb2.RetryJobRequest(job_id=path["id"]))
        message = "Taken up where it stood; what may be paid is looked for and not bought again."
        return {"success": True, "message": message, "jobId": answer.job.id}

    async def _filmed(
        self, request: requests.Request, board: storyboard_pb2.Storyboard, model: str, size: str
    ) -> job_pb2.Production:
        films = single.Films(self._services, request)
        key = binding.request_id(request)
        shape = videos.wanted({"prompt": "-", "size": size, "model": model}).size
        seconds = board.scenes[0].duration.seconds
        await films.fit(board, single.Wanted("", model, seconds, shape))
        asked = boards_pb.CreateStoryboardRequest(request_id=key, storyboard=board)
        made = (await self._ask(request, "boards.CreateStoryboard", asked)).storyboard
        return (await films.film(made, key))[0]

    async def _board(self, request: requests.Request, board_id: str) -> storyboard_pb2.Storyboard:
        asked = boards_pb.GetStoryboardRequest(storyboard_id=board_id)
        board: storyboard_pb2.Storyboard = (await self._ask(request, "boards.GetStoryboard", asked)).storyboard
        if board.state == storyboard_pb2.Storyboard.STATE_DELETED:
            raise refusals.Refusal(404, "STORYBOARD_NOT_FOUND", _NO_BOARD)
        return board

    async def _job(self, request: requests.Request, job_id: str) -> job_pb2.Job:
        job: job_pb2.Job = (await self._ask(request, "jobs.GetJob", job_service_pb2.GetJobRequest(job_id=job_id))).job
        return job

    async def _exported(self, request: requests.Request, board: storyboard_pb2.Storyboard) -> dict[str, Any]:
        asked = boards_pb.ExportStoryboardRequest(storyboard_id=board.id, format=_BROWSER)
        told: dict[str, Any] = json.loads((await self._ask(request, "boards.ExportStoryboard", asked)).data)
        return told

    async def _shown(self, request: requests.Request, board: storyboard_pb2.Storyboard) -> dict[str, Any]:
        return founding_words.listed(board) | await self._exported(request, board)

    async def _ask(self, request: requests.Request, name: str, asked: Any) -> Any:
        return await self._services.ask(name, request, asked)


def door(handler: Callable[..., Awaitable[Any]], missing: str) -> Answers:
    """A handler as these clients know it: what is refused is `error` and `details`."""

    async def answer(request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        try:
            told = await handler(request, path)
        except grpc.aio.AioRpcError as fault:
            return _refused(refusals.of(fault), missing)
        except refusals.Refusal as refused:
            return _refused(refused, missing)
        return told if isinstance(told, responses.Response) else responses.JSONResponse(told)

    return answer


def _refused(refused: refusals.Refusal, missing: str) -> responses.Response:
    details = [dict(it) for it in refused.errors] or [{"field": it, "message": why} for it, why in refused.violations]
    status = 400 if refused.status == 422 else refused.status
    error = missing if status == 404 and refused.reason.endswith("_NOT_FOUND") else refused.detail
    told: dict[str, Any] = {"success": False, "error": error, "reason": refused.reason}
    return responses.JSONResponse(told | ({"details": details} if details else {}), status, problems.waits(refused))


async def _object(request: requests.Request) -> dict[str, Any]:
    told = await binding.document(request)
    if not isinstance(told, dict):
        raise refusals.bad_request([{"pointer": "", "detail": "should be an object"}], 400)
    if secret := next((name for name in ("apiKey", "api_key") if name in told), ""):
        detail = "keys do not travel here: install yours with POST /v1/credentials"
        raise refusals.bad_request([{"pointer": f"/{secret}", "detail": detail}], 400)
    return told


def _dumped(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode(errors="replace")
