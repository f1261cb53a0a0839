"""What can go wrong is named once: the class in the service and the value in the contract agree."""

import importlib

import pytest

from libs import errors
from libs.rpc import status
from tests.contract import rooms

SERVICES = sorted(path.parent.name for path in rooms.ROOT.glob("services/*/migrations"))

SPEAK_FOR_THEMSELVES = (errors.Invalid, errors.Unavailable)
"""Kinds whose status is all a caller needs: correct the named fields, or retry."""


def subclasses(cls: type[errors.Error]) -> set[type[errors.Error]]:
    direct = set(cls.__subclasses__())
    return direct | {below for it in direct for below in subclasses(it)}


def errors_of(service: str) -> set[type[errors.Error]]:
    rooms.import_all(f"services.{service}")
    return {cls for cls in subclasses(errors.Error) if cls.__module__.startswith(f"services.{service}.")}


def reasons_in_contract(service: str) -> set[str]:
    contract = importlib.import_module(f"rushes.{service}.v1.error_reason_pb2")
    names = {name.removeprefix("ERROR_REASON_") for name in contract.ErrorReason.keys()}
    return names - {"UNSPECIFIED"}


def faults_in_code(service: str) -> set[str]:
    """Reasons that are never raised, but written down in the Fault of a resource."""
    source = "".join(path.read_text() for path in (rooms.ROOT / "services" / service).rglob("*.py"))
    return {reason for reason in reasons_in_contract(service) if f'"{reason}"' in source}


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_is_in_the_contract(service):
    told = {cls.reason for cls in errors_of(service) if not issubclass(cls, SPEAK_FOR_THEMSELVES)}
    assert told <= reasons_in_contract(service)


@pytest.mark.parametrize("service", SERVICES)
def test_every_reason_of_the_contract_is_in_the_code(service):
    raised = {cls.reason for cls in errors_of(service)}
    assert reasons_in_contract(service) <= raised | faults_in_code(service)


def test_every_error_of_the_machinery_is_in_the_shared_contract():
    rooms.import_all("libs")
    kinds = {*errors.Error.__subclasses__()} - {status.DeadlinePassed, status.Faulty}
    told = {cls.reason for cls in subclasses(errors.Error) if cls.__module__.startswith("libs.")}
    assert told - {kind.reason for kind in kinds} <= reasons_in_contract("type")
