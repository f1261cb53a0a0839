"""Puts services into the contract that only tests have, as a file of protos would."""

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

from rushes.type.v1 import access_pb2

TEXT = wrappers_pb2.StringValue.DESCRIPTOR


def declare(
    service: str,
    methods: Mapping[str, access_pb2.Access | None],
    streams: Mapping[str, tuple[bool, bool]] = MappingProxyType({}),
) -> None:
    """A service of this full name, each method with what it says about access; they take and give a StringValue, or
    many, where `streams` says so.
    """
    package, _, name = service.rpartition(".")
    file = descriptor_pb2.FileDescriptorProto(name=f"tests/{service}.proto", package=package, syntax="proto3")
    file.dependency.append(TEXT.file.name)
    declared = file.service.add(name=name)
    for method, said in methods.items():
        kind = f".{TEXT.full_name}"
        made = declared.method.add(name=method, input_type=kind, output_type=kind)
        made.client_streaming, made.server_streaming = streams.get(method, (False, False))
        if said is not None:
            made.options.Extensions[access_pb2.access].CopyFrom(said)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
