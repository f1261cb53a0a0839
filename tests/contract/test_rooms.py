"""The house keeps its shape: a room that is not named here is an ADR, not a commit."""

import ast
import re
from pathlib import Path

import pytest

from tests.contract import rooms

ROOT = rooms.ROOT
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/__init__.py"))
MODULES = sorted(
    path for room in ("services", "libs") for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))

EVERYWHERE = set("__init__ __main__ settings domain store wire api events ticks".split())
"""The rooms that are alike in every service."""

NAMED = {
    "cli": """
        afar auditor audits backup board board_calls board_exchange board_fields board_file board_files
        board_lines board_rules board_stills board_verbs buying calls check check_files check_gateway check_jobs
        check_provider check_said client config config_guide consent credentials cutting databases dead delivery
        doctor download each edit_file edit_form edit_list environment exits field_words film film_files
        film_verbs finding floor gateway health house household issuer keeper keys leash links locksmith
        migrations nats ops people plan_lines porter postbox postgres processes production productions progress
        purse reels runs screening shelf slate spending state status steward studio supervisor takes undertaker
        visit warden webhook yaml_file
    """,
    "compiler": """
        abreast archive assembly blame blending cards clip_store conform cut cutter edit edit_rules eviction
        export_store export_wire exporting exports extraction fetching film filming fitting gauges hls house
        jail kernel landlock leases lettering looking making manifest marks media mux orders painter parameters
        pieces probe proof proofing recipes reel render seccomp segment_store segments share_store share_wire
        shares sharing sheet shelf sound/__init__ sound/loudness sound/mix sound/music sound/samples
        sound/source sound_files sprite stills stuck timeline timelines/__init__ timelines/edl timelines/fcpxml
        timelines/otio timelines/reel timelines/shots tracks uploads verify worker workroom workshop zygote
    """,
    "job": """
        api/__init__ api/costs api/desk api/history api/jobs api/planner api/productions api/queues api/refusals
        api/takes api/watches api/webhooks changes continuity costs estimate feeds follow gauges history
        lifecycle measures planning plans queues retries stakes stuck tables takes webhook_sender webhook_store
        webhook_wire webhooks works
    """,
    "provider_gateway": """
        admission api/__init__ api/calls api/desk api/keys api/offer api/places api/purse books breakers budgets
        callbacks catalogue census claims credential_store credential_wire credentials downloads evidence fetch
        gauges intake keyring ledger lifecycle limits media memory metering models orders pace prices
        providers/__init__ providers/exchange providers/fal providers/forms providers/google providers/listing
        providers/openai_videos providers/openrouter providers/refusals providers/registry providers/replicate
        providers/runware providers/sdk providers/service_account providers/signatures providers/veo
        providers/waits recorder rescue resolver stakes statements steps stuck switches traffic vault viewer
        viewing walls whereabouts works
    """,
    "sandbox": """
        brush bucket camera cast cels chat coast content disaster fal fal_queue fields flavour google lab land
        ledger openai openrouter palette pool refusal render replicate room runware script shot sky slate sound
        stage still town veo vocabulary weather web webhooks
    """,
    "storyboard": """
        access_wire api/__init__ api/boards api/desk api/files api/history api/people api/prompts api/proposing
        api/scenes api/sessions api/standing api/things api/tokens api/visitors asks chat compose dialects diff
        edits files/__init__ files/board files/browser files/draft files/extras files/fountain files/page
        files/plain files/screenplay files/script files/shots files/tree flaws guests invitation_store merge
        parts people people_store presets proposals session_store sessions steps stills templates token_store
        tokens words writer
    """,
    "studio": """
        assets door front/build oidc oidc_answers pages/__init__ pages/app pages/beginnings pages/bounds
        pages/bursts pages/candidates pages/captions pages/cards pages/compare pages/cuts pages/cutting
        pages/devices pages/differences pages/doorman pages/downloads pages/editor pages/editor_acts
        pages/editor_board pages/editor_fields pages/editor_order pages/editor_state pages/editor_things
        pages/faults pages/files pages/film pages/following pages/forms pages/history pages/house
        pages/importing pages/links pages/live pages/offers pages/ops/__init__ pages/ops/audit pages/ops/frame
        pages/ops/letters pages/ops/money pages/ops/providers pages/ops/queues pages/ops/services
        pages/ops/webhooks pages/people pages/production pages/projects pages/prose pages/quote pages/reel
        pages/said pages/sections pages/settings/__init__ pages/settings/account pages/settings/budgets
        pages/settings/people pages/settings/providers pages/settings/tokens pages/settings/webhooks
        pages/shared pages/shelf pages/shots pages/shown pages/signing pages/site pages/standing pages/steps
        pages/strip pages/takes pages/terms pages/turning pages/versions pages/walls pages/ways pages/words
        rest/__init__ rest/app rest/binding rest/calls rest/document rest/events rest/files rest/filming
        rest/founding rest/founding_ops rest/founding_words rest/media rest/problems rest/refusals rest/remedies
        rest/routes rest/shapes rest/sharing rest/single rest/table rest/things rest/tree rest/videos session
        web
    """,
}
"""The rooms that a service has besides."""

MIGRATION = re.compile(r"migrations/versions/\d{4}_[a-z0-9_]+")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_has_only_rooms_that_are_named(service):
    there = {str(path.relative_to(service).with_suffix("")) for path in service.rglob("*.py") if path in MODULES}
    named = set(NAMED.get(service.name, "").split())
    strangers = {room for room in there - EVERYWHERE - named if not MIGRATION.fullmatch(room)}
    assert not strangers, f"write an ADR for these rooms of {service.name}, then name them here"
    assert named <= there, f"no room of {service.name} is named that is not there"


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_module_says_in_one_sentence_what_it_is_for(module):
    told = (ast.get_docstring(ast.parse(module.read_text())) or "").split("\n\n")[0]
    assert len(re.findall(r"[.!?](?=\s|$)", told)) == 1, f"{name(module)} begins with {told!r}"
    assert told.endswith(".")


@pytest.mark.parametrize("module", MODULES + TESTS, ids=name)
def test_no_file_is_longer_than_four_hundred_lines(module):
    assert len(module.read_text().splitlines()) <= 400


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_wiring_is_short(service):
    wiring = service / "__main__.py"
    if service.name != "cli" and wiring.exists():
        assert len(wiring.read_text().splitlines()) <= 60
