"""The contract in one file, as `make protoset` writes it, is whole: where reflection is off, grpcurl needs no other."""

import re
import shlex
import subprocess
import sys

from google.protobuf import descriptor_pb2

from tests.contract import access, rooms

RECIPE = re.compile(r"(?m)^protoset:.*\n\t\$\(BIN\)/python -m (grpc_tools.protoc .*)$")


def test_every_service_is_in_it_with_its_comments(tmp_path):
    (recipe,) = RECIPE.findall((rooms.ROOT / "Makefile").read_text())
    folder, written = rooms.ROOT / "proto", tmp_path / "rushes.protoset"
    protos = " ".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*.proto")))
    told = recipe.replace("$(PROTOS)", protos).replace("rushes.protoset", str(written))
    subprocess.run([sys.executable, "-m", *shlex.split(told)], cwd=rooms.ROOT, check=True, timeout=120)
    files = descriptor_pb2.FileDescriptorSet.FromString(written.read_bytes()).file
    named = {f"{file.package}.{service.name}" for file in files for service in file.service}
    assert named == {service.full_name for service in access.services()}
    assert {needed for file in files for needed in file.dependency} <= {file.name for file in files}
    assert all(file.source_code_info.location for file in files if file.service)
