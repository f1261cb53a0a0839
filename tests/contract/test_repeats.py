"""Every call may be repeated, as clients of ours do: what makes something is told apart by an id."""

import re

import pytest

from tests.contract import access

METHODS = {f"{service.name}/{method.name}": method for service in access.services() for method in service.methods}
MAKES = {"Add", "Create", "Duplicate", "Import"}
"""Verbs that make something new: a request_id says that it is the same thing."""
MAKES_ANEW = {
    "StoryboardService/CreateGuestStoryboard",  # for somebody whom nobody knows yet; what is left over goes by itself
    "SessionService/CreateSession",  # its secret is told once; one whose answer got lost ends by itself
    "SessionService/CreateTicket",  # and so does a ticket
    "PeopleService/CreateInvitation",  # and such a ticket: it is in the list, and can be taken back
}
ASKS = set("Compose Diff Dump Export Extract Get Identify List Open Plan Propose Refine Verify Watch".split())
"""Verbs that change nothing, or keep what they make by what it is of."""
MOVES = set(
    """
    Approve Archive Cancel Claim Delete Discard End Fetch Move Name Note Pause Pick Reconcile Redeem Release Remove
    Replay Restore Resume Retry Revoke Rotate Set Settle Test Throw Unarchive Undelete Unpick Update Upload
""".split()
)
"""Verbs that bring something into a state, in which a second call finds it; where two would not be one, an etag is
asked for, and what is only sent again is told apart by who hears it.
"""
STEPS = {"Undo", "Redo"}
"""Verbs that do more when they are done twice: an etag is asked for."""


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_a_second_call_does(name):
    verb = re.match("[A-Z][a-z]+", METHODS[name].name)[0]
    assert verb in MAKES | ASKS | MOVES | STEPS, "say above what a second call of this verb does"
    fields = METHODS[name].input_type.fields_by_name
    assert "request_id" in fields or verb not in MAKES or name in MAKES_ANEW
    assert "etag" in fields or verb not in STEPS
