"""Values that are passed between the parts: what they show, and what they never show."""

import pytest

from builders import digest
from imagefit import errors
from imagefit.model.credentials import AuthConfig
from imagefit.model.outcome import Rewrite
from imagefit.model.policy import Mode, NoMatch, OnError, Policy, Unknown
from imagefit.model.reference import parse_reference
from imagefit.model.requirement import Alternative, Document, Problem


def test_a_rewrite_pulls_the_chosen_entry_and_leaves_records_of_tag_and_index() -> None:
    rewrite = Rewrite(parse_reference("nginx:1"), digest("index"), digest("child"))
    assert rewrite.chosen_name == f"docker.io/library/nginx@{digest('child')}"
    assert rewrite.record_names == ("docker.io/library/nginx:1", f"docker.io/library/nginx@{digest('index')}")


def test_a_pull_by_digest_leaves_one_record() -> None:
    name = f"docker.io/library/nginx@{digest('index')}"
    assert Rewrite(parse_reference(name), digest("index"), digest("child")).record_names == (name,)


def test_no_secret_is_shown() -> None:
    shown = repr(AuthConfig("user", "s3cret-1", "s3cret-2", "r.io", "s3cret-3"))
    assert "user" in shown
    assert "s3cret" not in shown


def test_the_default_policy_is_to_choose_to_reject_and_to_fail_open() -> None:
    policy = Policy()
    assert (policy.mode, policy.no_match) == (Mode.ENFORCE, NoMatch.REJECT)
    assert (policy.unknown, policy.on_error, policy.prefer) == (Unknown.LAST, OnError.PASS_THROUGH, ())


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        pytest.param(Problem("broken", "/a/0"), "/a/0: broken", id="with a place"),
        pytest.param(Problem("broken"), "broken", id="without a place"),
    ],
)
def test_a_problem_names_its_place(problem: Problem, text: str) -> None:
    assert str(problem) == text


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(Document("d"), True, id="it asks for nothing"),
        pytest.param(Document("d", (Alternative(()),)), True, id="a set"),
        pytest.param(Document("d", (Alternative(()),), (Problem("x"),)), True, id="a set and a problem"),
        pytest.param(Document("d", (), (Problem("x"),)), False, id="only a problem"),
    ],
)
def test_a_document_is_readable_where_anything_can_be_judged(document: Document, expected: object) -> None:
    assert document.readable is expected


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(errors.RegistryError("it failed"), "it failed", id="without advice"),
        pytest.param(errors.RegistryError("it failed", advice="wait"), "it failed (wait)", id="with advice"),
        pytest.param(errors.InvalidDocumentError("broken", place="/a"), "broken", id="with a place"),
    ],
)
def test_an_error_says_what_happened_and_what_to_do(error: errors.ImagefitError, text: str) -> None:
    assert str(error) == text


def test_every_kind_of_error_has_its_own_code() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ImagefitError)
    ]
    assert len({kind.code for kind in kinds}) == len(kinds)
