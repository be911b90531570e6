"""Which operation posts which work: what Management does with and without a certificate of the target."""

import pytest

from agent_sim.operator.work import Store, work
from agent_sim.protocol import command
from agent_sim.scenario.duties import Posting

STORES = (Store("store-1", "/opt/pem/store-1.pem", "PEM"),)


def posted(operation: str, certificate: int | None) -> command.Operation:
    posting = Posting("renew", "Management", ("agentsim-s-lab-00000",), 0, 1, operation=operation)
    [made] = work(posting, "agent-1", STORES, certificate)
    return made


@pytest.mark.parametrize("certificate", [None, 7])
def test_a_removal_needs_no_certificate(certificate: int | None):
    assert isinstance(posted("remove", certificate), command.RemoveCertificate)


def test_an_addition_takes_the_certificate_that_is_named():
    made = posted("add", 7)

    assert isinstance(made, command.AddCertificate)
    assert made.certificate_id == 7
    assert [entry.certificate_store_id for entry in made.certificate_stores] == ["store-1"]


def test_an_addition_without_a_certificate_is_a_removal():
    """Which certificates a target has is nobody's guess."""
    assert isinstance(posted("add", None), command.RemoveCertificate)
