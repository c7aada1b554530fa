"""No endpoint, refusal or fact of the wire is without a label, and the labels are right in form."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from ormco_trios.communicate import models
from ormco_trios.core.answers import refusal
from ormco_trios.core.environment import Service
from ormco_trios.core.operation import Operation
from ormco_trios.core.provenance import LABELS, PUBLISHED, Citation, Fact
from ormco_trios.core.transport import Answer
from ormco_trios.facts import ANY_CALL, FACTS, operations
from ormco_trios.oauth.operations import TokenReply
from ormco_trios.oauth.server import Metadata
from ormco_trios.ormcodigital import models as portal_models
from ormco_trios.sandbox.dispatch.table import TABLE

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "ormco_trios"
PAGE = (ROOT / "docs" / "provenance.md").read_text("utf-8")

OPERATIONS = operations()
FACTS_OF_ALL = [
    *((one.name, about, fact) for one in OPERATIONS for about, fact in one.provenance.items()),
    *((name, about, fact) for name, facts in FACTS.items() for about, fact in facts.items()),
]

# What 3Shape published, by the names it gives its parts.
SECTIONS = {
    *("A1", "A2.1", "A2.3", "U1", "U2.1", "U2.2", "U3.1", "U3.2", "U3.3"),
    *("M1", "M2.1", "M2.2", "M2.3", "M2.4", "M2.5", "M2.6"),
    *("M3.1", "M3.2", "M3.3", "M3.4", "M4.4", "WF1", "WF2", "WF3"),
    *("OAuth2Flow2.png", "ApiBrowserMe.png"),
    *("ApiBrowserCasesPage0.png", "ApiBrowserCasesPage0_2.png"),
}
CLIENT = {
    *("ApiEndpoints.html", "AuthServices.xml", "ServerList.xml"),
    *("UserService.Client", "UserService.Dto"),
}
GUIDE = re.compile(r"(Communicate|OrmcoDigital|Repairing) \d+( (to|and) \d+)?")
RFC = re.compile(r"(\d{4}|OpenID Connect Core), \d+(\.\d+)*")


def is_precise(source: Citation) -> bool:
    """Whether the source can be looked up: where it has parts, the part is named."""
    match source.label:
        case "doc":
            return set(source.where.split(", ")) <= SECTIONS and source.commit == PUBLISHED
        case "client":
            return set(source.where.split(", ")) <= CLIENT and source.commit == PUBLISHED
        case "guide":
            return GUIDE.fullmatch(source.where) is not None
        case "rfc":
            return RFC.fullmatch(source.where) is not None
        case "seen":
            return source.where in {"", "(one program)", "(one list)"}
        case _:
            return source.where == ""


def test_every_statement_says_how_it_is_known() -> None:
    strength = list(LABELS)
    wrong = [
        f"{where}: {about}"
        for where, about, fact in FACTS_OF_ALL
        if not fact.sources
        or not all(source.label in LABELS and is_precise(source) for source in fact.sources)
        or list(fact.sources) != sorted(fact.sources, key=lambda s: strength.index(s.label))
        or not (fact.text or fact.error)
    ]
    assert wrong == []


def test_every_operation_says_how_its_path_and_its_answer_are_known() -> None:
    for one in OPERATIONS:
        assert {"path", "answer"} <= one.provenance.keys(), one.name
        assert all(one.provenance[about].text for about in ("path", "answer")), one.name


def test_no_operation_is_missing() -> None:
    """Wherever one is made, it says how it is known; the doctor's probe says nothing of a path."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Operation":
                given = {keyword.arg for keyword in node.keywords}
                probe = path.name == "doctor.py"
                assert ("provenance" in given) != probe, f"{path.name}:{node.lineno}"
    made = {one.name for one in OPERATIONS}
    used = set(re.findall(r'^    "(\w+\.\w+)",$', _text_of("operations.py"), re.MULTILINE))
    assert used <= made


def _text_of(name: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(SOURCE.rglob(name)))


# --- refusals -------------------------------------------------------------------------------


def refusals() -> Iterator[tuple[Operation[Any], str, Fact]]:
    for one in OPERATIONS:
        for words, fact in one.provenance.items():
            if words not in {"screen", "path", "answer"}:
                yield one, words, fact


def answers(operation: Operation[Any], words: str) -> Iterator[Answer]:
    """The refusal as it may come: a sentence in any of three forms, or an error code."""
    status, _, said = words.partition(" ")
    said = said.replace("{id}", "4a51f8a6-2879-68ab-9434-a57600ac4123")
    body: dict[str, Any]
    if said == "(no body)":
        yield Answer(int(status), {}, b"")
    elif said == "(a page)":
        yield Answer(int(status), {"content-type": "text/html"}, b"<html>")
    elif operation.service in {Service.COMMUNICATE, Service.METADATA}:
        for form in (said, json.dumps(said), json.dumps({"Message": said})):
            yield Answer(int(status), {}, form.encode())
    elif operation.service is Service.ORMCODIGITAL:
        body = {"error": {"code": said, "message": "", "field": "code" if "code" in said else None}}
        yield Answer(int(status), {}, json.dumps(body).encode())
    else:
        yield Answer(int(status), {}, json.dumps({"error": said}).encode())


def test_a_refusal_becomes_the_error_that_is_named() -> None:
    wrong = [
        f"{one.name}: {words} becomes {type(error).__name__}"
        for one, words, fact in refusals()
        for answer in answers(one, words)
        if type(error := (one.refuse or refusal)(one, answer)) is not fact.error
    ]
    assert wrong == []


def test_a_status_becomes_the_error_that_is_named() -> None:
    for words, fact in ANY_CALL.items():
        answer = Answer(int(words[:3].replace("x", "0")), {}, b"")
        for one in OPERATIONS:
            assert type(refusal(one, answer)) is fact.error, words


def test_the_sandbox_refuses_with_nothing_else() -> None:
    """Every sentence that its Communicate says no with is in one of the tables."""
    said = set()
    for path in (SOURCE / "sandbox").rglob("*.py"):
        if path.name not in {"cases.py", "communicate.py"}:
            continue
        tree = ast.parse(path.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refused":
                sentence = node.args[1]
                if isinstance(sentence, ast.JoinedStr):
                    parts = (getattr(part, "value", "") for part in sentence.values)
                    said.add("".join(p if isinstance(p, str) else "{}" for p in parts))
                elif isinstance(sentence, ast.Constant):
                    said.add(str(sentence.value))
    assert len(said) > 8
    page = re.sub(r"\{\w+\}", "{}", PAGE)
    assert {sentence for sentence in said if sentence not in page} == set()


# --- fields ---------------------------------------------------------------------------------

FIELDS: dict[type[BaseModel], str] = {
    models.User: "a user's fields|a user's state in its address",
    models.ServerRegion: "a region's fields",
    models.ServerAddress: "services.default",
    models.Dongle: "a dongle's and a logo's fields",
    models.Logo: "a dongle's and a logo's fields",
    models.Connection: "a connection's fields",
    models.Application: "an application's fields",
    models.Case: "a case's fields|further fields of a case",
    models.Patient: "further fields of a case",
    models.Actor: "an actor's fields",
    models.Comment: "a comment's fields",
    models.CaseIncrement: "a case increment's field",
    models.Logo: "a dongle's and a logo's fields",
    models.CaseFile: "an attachment's fields|an attachment's kind|"
    "a scan's and a design's fields|a scan's jaw",
    models.CasePage: "cases.list",
    models.ServerAddress: "services.default",
    TokenReply: "oauth.authorization_code",
    Metadata: "oauth.discovery",
    portal_models.Profile: "a profile's fields",
    portal_models.SubmissionMethod: "a profile's fields",
    portal_models.ShippingAddress: "a profile's fields",
    portal_models.TriosStatus: "trios.status",
    portal_models.PortalAuthorization: "trios.authorization",
    portal_models.Session: "session.create",
    portal_models.PortalErrorReply: "a refusal's fields",
    portal_models.PortalProblem: "a refusal's fields",
}
"""Where the fields of each object that is read are named: facts, or an operation's answer."""


@pytest.mark.parametrize("model", FIELDS, ids=lambda model: model.__name__)
def test_every_field_that_is_read_has_a_label(model: type[BaseModel]) -> None:
    places = FIELDS[model].split("|")
    texts = [
        fact.text
        for name, about, fact in FACTS_OF_ALL
        if about in places or (name in places and about == "answer")
    ]
    named = set(re.findall(r"`(\w+)`", " ".join(texts)))
    model.model_rebuild(force=True)  # fields of a type that is defined later get their aliases
    fields = {info.alias or name for name, info in model.model_fields.items() if not info.exclude}
    assert fields - named == set()


def test_every_object_that_is_read_is_looked_at() -> None:
    for module in (models, portal_models):
        objects = {
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, BaseModel)
            and value.__module__ == module.__name__
        }
        assert objects <= FIELDS.keys()


# --- documents ------------------------------------------------------------------------------


def load_tool() -> ModuleType:
    path = ROOT / "tools" / "provenance.py"
    spec = importlib.util.spec_from_file_location("provenance", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def test_the_page_is_written_from_the_operations_and_the_facts() -> None:
    assert tool.written(PAGE) == PAGE
    by_hand = tool._TABLE.sub("", PAGE)
    assert [line for line in by_hand.splitlines() if line.startswith("|")] == []


def test_the_tool_tells_what_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "provenance.md"
    page.write_text(PAGE.replace("| rfc 6749, 4.1.1 |", "| doc WF1 |"), "utf-8")
    monkeypatch.setattr(tool, "PAGE", page)
    assert tool.main(["--check"]) == 1
    assert "+| `state`" in capsys.readouterr().out
    assert tool.main([]) == 0
    assert page.read_text("utf-8") == PAGE
    assert tool.main(["--check"]) == 0
    page.write_text(PAGE.replace("<!-- table labs -->", "<!-- table lab -->"), "utf-8")
    with pytest.raises(SystemExit, match="labs"):
        tool.main(["--check"])


LABELLED = re.compile(r"(?<![\w\])])\[([a-z][^\]\n]*)\](?![\[(])")


def test_docstrings_and_comments_use_these_labels() -> None:
    wrong = []
    for path in SOURCE.rglob("*.py"):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
            prose = token.type == tokenize.COMMENT or (
                token.type == tokenize.STRING and re.match(r'"""[^\\]', token.string) is not None
            )
            for label in LABELLED.findall(re.sub("``.*?``", "", token.string) if prose else ""):
                words = [part.split()[0] for part in label.split(", ") if part[0].isalpha()]
                if not set(words) <= LABELS.keys():
                    wrong.append(f"{path.name}:{token.start[0]}: [{label}]")
    assert wrong == []


def test_the_portals_document_says_the_same() -> None:
    text = (SOURCE / "ormcodigital" / "openapi.json").read_text("utf-8")
    document = json.loads(text)
    responses = document["components"]["responses"]
    described = {
        one["x-operation"]: one
        for methods in document["paths"].values()
        for one in methods.values()
    }
    portal = {one.name: one for one in OPERATIONS if one.service is Service.ORMCODIGITAL}
    assert described.keys() == portal.keys()
    for name, one in portal.items():
        screen = one.provenance.get("screen", one.provenance["path"])
        assert described[name]["x-provenance"] == {
            "behaviour": screen.sources[0].label,
            "interface": one.provenance["path"].sources[0].label,
        }, name
        codes = {
            f"{status} {code}"
            for status, said in described[name]["responses"].items()
            for code in responses.get(said.get("$ref", "").rpartition("/")[2], {}).get(
                "x-error-codes", []
            )
        }
        refused = {words for words in one.provenance if words[0].isdigit()}
        assert refused <= codes, name


def place_of(method: str, path: str) -> tuple[str, str]:
    """A method and a path without the names of its parameters."""
    return method, re.sub(r"\{\w+\}", "{}", path)


def test_the_sandboxs_routes_say_the_same() -> None:
    """Each has the strongest label of the operation with the same method and path."""
    labels: dict[tuple[str, str], set[str]] = {}
    for one in OPERATIONS:
        strongest = one.provenance["path"].sources[0].label
        labels.setdefault(place_of(one.method, one.route), set()).add(strongest)
    compared = 0
    for route in TABLE:
        below = re.sub(r"^/(metadata-\{server\}|[\w-]+)", "", route.template)
        if (known := labels.get(place_of(route.method, below))) is not None:
            compared += 1
            assert route.provenance in known, route.template
    assert compared > 20
