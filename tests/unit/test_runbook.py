"""What the runbook says to type fits the contract; `make runbook-test` types it."""

import importlib

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory

from tests.runbook import commands

SITUATIONS = {
    *("Provider outage", "Unknown outcomes", "Stuck jobs", "Dead letters", "Disk full", "Database down", "NATS lost"),
    *("Replay", "Key rotation", "Budget exhausted", "Kill switch", "Backup", "Restore", "Upgrade", "Rollback"),
    *("Log level", "Slow replies"),
}
SPOKEN = (
    "rushes.ops.v1.ops_service_pb2",
    "rushes.ops.v1.dead_letter_service_pb2",
    "rushes.provider_gateway.v1.provider_gateway_service_pb2",
    "rushes.job.v1.job_service_pb2",
    "rushes.compiler.v1.compiler_service_pb2",
    "grpc_health.v1.health_pb2",
)


def method(name):
    for module in SPOKEN:
        importlib.import_module(module)
    service, _, verb = name.partition("/")
    return descriptor_pool.Default().FindServiceByName(service).methods_by_name[verb]


@pytest.mark.parametrize("command", commands.every(), ids=lambda command: command.text)
def test_a_command_of_the_runbook_fits_the_contract(command):
    told = dict.fromkeys(command.variables, "x") | {"SINCE": "2026-11-21T00:00:00Z"}
    into = message_factory.GetMessageClass(method(command.method).input_type)()
    json_format.ParseDict(command.request(told), into)


def test_the_runbook_has_every_situation_and_every_verb_of_operating():
    assert set(commands.sections()) >= SITUATIONS
    named = {command.method.partition("/")[2] for command in commands.every()}
    verbs = {
        verb
        for package in ("ops_service_pb2", "dead_letter_service_pb2")
        for service in importlib.import_module(f"rushes.ops.v1.{package}").DESCRIPTOR.services_by_name.values()
        for verb in service.methods_by_name
    }
    assert verbs <= named


def test_a_command_with_a_wrong_field_is_seen():
    (command,) = commands.every("## X\n```sh\ncall -d '{\"lvl\": 1}' $JOB rushes.ops.v1.OpsService/SetLogLevel\n```\n")
    into = message_factory.GetMessageClass(method(command.method).input_type)()
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict(command.request({}), into)
