"""What is left of a recording, and what it says about each assumption.

The recordings are written by hand, from portals that carry the same walk in different ways: a JSON
API as assumed, forms, GraphQL, XML, a web socket.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ormco_trios import errors
from ormco_trios.ormcodigital.first_contact.export import code_in
from ormco_trios.ormcodigital.first_contact.judge import Report, Verdict, judge
from ormco_trios.ormcodigital.first_contact.redact import Sites, redact
from ormco_trios.ormcodigital.first_contact.values import encodings, length_class

CODE = "Kq-3!IAAAAMjJysvMzc7P0NHS09TV1tfY2drb"
TYPED = {"username": "praxis-seeblick", "password": "Wolken&Kuckuck%7", "code": CODE}
PATIENT = "Balthasar Quendelmeyer"
COOKIE = "s3ss10n-0f-4-pr4ct1c3-n0b0dy-kn0ws"
SITES = Sites("https://portal.example")
LINK = (
    "https://auth.3shapecommunicate.com/oauth/authorise"
    "?client_id=0000-ormco&redirect_uri=https%3A%2F%2Formco.com&response_type=code"
)
TWICE = quote(quote(CODE, safe=""), safe="")


def entry(
    method: str,
    url: str,
    body: object = None,
    answer: object = "",
    *,
    kind: str = "application/json",
    gives: str = "application/json",
    status: int = 200,
    sent: dict[str, str] | None = None,
    received: dict[str, str] | None = None,
) -> dict[str, Any]:
    def text(value: object) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    made: dict[str, Any] = {
        "startedDateTime": "2031-01-01T00:00:00Z",
        "request": {
            "method": method,
            "url": url,
            "headers": [{"name": n, "value": v} for n, v in (sent or {}).items()],
        },
        "response": {
            "status": status,
            "headers": [{"name": n, "value": v} for n, v in (received or {}).items()],
            "content": {"mimeType": gives, "text": text(answer)},
        },
    }
    if body is not None:
        made["request"]["postData"] = {"mimeType": kind, "text": text(body)}
    return made


def har(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"log": {"version": "1.2", "entries": list(entries)}}


def at_3shape() -> list[dict[str, Any]]:
    return [
        entry("GET", LINK, answer="<html><h1>Authorize</h1></html>", gives="text/html"),
        entry("GET", f"https://ormco.com/?code={TWICE}", gives="text/html", status=404),
    ]


def as_assumed() -> dict[str, Any]:
    bearer = {"Authorization": f"Bearer {COOKIE}"}
    profile = {
        "patients": [{"name": PATIENT}, {PATIENT: {"born": "2019-03-04"}}],
        "submission_method": {"source": "IntraoralScanner", "scanner": "3Shape Trios"},
    }
    return har(
        entry(
            "POST",
            "https://portal.example/api/session",
            {"username": TYPED["username"], "password": TYPED["password"]},
            {"token": COOKIE, "expires_in": 900},
        ),
        entry(
            "GET",
            "https://portal.example/api/profile",
            answer=profile,
            sent=bearer,
            received={"ETag": '"version-nobody-knows"'},
        ),
        entry(
            "POST",
            "https://portal.example/api/integrations/3shape/authorization",
            answer={"authorization_url": LINK, "expires_in": 600},
            sent=bearer,
        ),
        *at_3shape(),
        entry(
            "POST",
            "https://portal.example/api/integrations/3shape/code",
            {"code": quote(CODE, safe="-_~")},
            status=202,
            sent=bearer,
        ),
        entry(
            "PUT",
            "https://portal.example/api/profile",
            profile,
            sent={**bearer, "If-Match": '"version-nobody-knows"'},
        ),
        entry(
            "GET",
            "https://portal.example/api/integrations/3shape",
            answer={"state": "connected"},
            sent=bearer,
        ),
    )


def with_forms() -> dict[str, Any]:
    form = "application/x-www-form-urlencoded"
    cookie = {"Cookie": f"ASP.NET_SessionId={COOKIE}"}
    page = f"""<html><body><p>Hello, {PATIENT}</p><h2>Submission Method</h2>
    <form action="/profile.aspx" method="post"><label>Source :</label>
    <input type="radio" name="ctl00$Source" value="Intraoral Scanner"> <input value="PVS">
    <select name="ctl00$Scanner"><option>3Shape Trios</option></select>
    <a href="{LINK}">here</a><button>Update</button></form></body></html>"""
    fields = {"__VIEWSTATE": COOKIE[::-1], "txtCode": quote(CODE, safe=""), "btn": "Update"}
    return har(
        entry(
            "POST",
            "https://portal.example/login.aspx",
            urlencode({"txtUser": TYPED["username"], "txtWord": TYPED["password"]}),
            kind=form,
            status=302,
            received={"Set-Cookie": f"ASP.NET_SessionId={COOKIE}; path=/", "Location": "/"},
        ),
        entry(
            *("GET", f"https://portal.example/profile.aspx?patient={quote(PATIENT)}"),
            answer=page,
            gives="text/html; charset=utf-8",
            sent=cookie,
        ),
        *at_3shape(),
        entry(
            *("POST", "https://portal.example/profile.aspx", urlencode(fields)),
            kind=form,
            answer=page,
            gives="text/html",
            sent=cookie,
        ),
    )


def with_graphql() -> dict[str, Any]:
    url = "https://portal.example/graphql"

    def call(query: str, variables: dict[str, Any], answer: object) -> dict[str, Any]:
        return entry("POST", url, {"query": query, "variables": variables}, {"data": answer})

    return har(
        call(
            "mutation($u:String!,$p:String!){logIn(user:$u,secret:$p){jwt}}",
            {"u": "someone@practice.example", "p": TYPED["password"]},
            {"logIn": {"jwt": COOKIE}},
        ),
        entry(
            *("GET", f"{url}?query={quote('{me{scanner}}')}"),
            answer={"data": {"me": {"scanner": "3Shape Trios", "children": [PATIENT]}}},
        ),
        call("mutation{startLink{url}}", {}, {"startLink": {"url": LINK}}),
        *at_3shape(),
        call("mutation($c:String!){finish(c:$c){ok}}", {"c": CODE}, {"finish": {"ok": True}}),
        call("mutation{store{ok}}", {}, {"store": {"ok": True}}),
    )


def with_xml() -> dict[str, Any]:
    def call(body: str, answer: str) -> dict[str, Any]:
        return entry(
            *("POST", "https://portal.example/Service.svc", body, answer),
            kind="text/xml",
            gives="text/xml",
        )

    password = TYPED["password"].replace("&", "&amp;")
    return har(
        call(
            f"<Logon><Who>{TYPED['username']}</Who><Word>{password}</Word></Logon>",
            f"<?xml version='1.0'?><LogonResult><Ticket>{COOKIE}</Ticket></LogonResult>",
        ),
        call(
            "<Get/>",
            f"<Profile><Name>{PATIENT}</Name><S>3Shape Trios</S><S>PVS</S><L>"
            f"{LINK.replace('&', '&amp;')}</L></Profile>",
        ),
        *at_3shape(),
        call(f"<Code><![CDATA[{quote(CODE, safe='')}]]></Code>", "<Ok/>"),
        call("<Save/>", "<Ok/>"),
    )


def over_a_socket() -> dict[str, Any]:
    made = entry("GET", "https://portal.example/live", status=101)
    say = [
        ("send", {"do": "enter", "who": TYPED["username"], "word": TYPED["password"]}),
        ("receive", {"key": COOKIE, "patient": PATIENT, "method": "3Shape Trios"}),
        ("receive", {"goto": LINK}),
    ]
    made["_webSocketMessages"] = [{"type": t, "data": json.dumps(d)} for t, d in say]
    after = entry("GET", "https://portal.example/live", status=101)
    after["_webSocketMessages"] = [{"type": "send", "data": json.dumps(["code", CODE])}]
    return har(made, *at_3shape(), after)


WALKS = {
    "as assumed": (as_assumed, {}),
    "forms": (
        with_forms,
        {
            "sign_in.route": Verdict.DIFFERS,
            "sign_in.fields": Verdict.DIFFERS,
            "session.carrier": Verdict.DIFFERS,
            "profile.route": Verdict.DIFFERS,
            "profile.version": Verdict.DIFFERS,
            "profile.method": Verdict.DIFFERS,
            "link.route": Verdict.DIFFERS,
            "link.field": Verdict.DIFFERS,
            "code.route": Verdict.DIFFERS,
            "code.field": Verdict.DIFFERS,
            "code.status": Verdict.DIFFERS,
            "code.draft": Verdict.DIFFERS,
            "update.route": Verdict.NOT_SEEN,
            "update.version": Verdict.NOT_SEEN,
            "status.route": Verdict.NOT_SEEN,
        },
    ),
    "GraphQL": (
        with_graphql,
        {
            "sign_in.route": Verdict.DIFFERS,
            "sign_in.fields": Verdict.DIFFERS,
            "sign_in.by": Verdict.DIFFERS,
            "session.carrier": Verdict.NOT_SEEN,
            "profile.route": Verdict.DIFFERS,
            "profile.version": Verdict.DIFFERS,
            "profile.method": Verdict.DIFFERS,
            "link.route": Verdict.DIFFERS,
            "link.field": Verdict.DIFFERS,
            "code.form": Verdict.DIFFERS,
            "code.route": Verdict.DIFFERS,
            "code.field": Verdict.DIFFERS,
            "code.status": Verdict.DIFFERS,
            "update.route": Verdict.DIFFERS,
            "update.version": Verdict.DIFFERS,
            "status.route": Verdict.NOT_SEEN,
        },
    ),
    "XML": (
        with_xml,
        {
            "sign_in.route": Verdict.DIFFERS,
            "sign_in.fields": Verdict.DIFFERS,
            "session.carrier": Verdict.NOT_SEEN,
            "profile.route": Verdict.DIFFERS,
            "profile.version": Verdict.DIFFERS,
            "profile.method": Verdict.DIFFERS,
            "link.route": Verdict.DIFFERS,
            "link.field": Verdict.DIFFERS,
            "code.route": Verdict.DIFFERS,
            "code.field": Verdict.DIFFERS,
            "code.status": Verdict.DIFFERS,
            "update.route": Verdict.DIFFERS,
            "update.version": Verdict.DIFFERS,
            "status.route": Verdict.NOT_SEEN,
        },
    ),
    "a web socket": (
        over_a_socket,
        {
            "sign_in.route": Verdict.DIFFERS,
            "sign_in.fields": Verdict.DIFFERS,
            "session.carrier": Verdict.NOT_SEEN,
            "profile.route": Verdict.DIFFERS,
            "profile.version": Verdict.DIFFERS,
            "profile.method": Verdict.DIFFERS,
            "link.route": Verdict.DIFFERS,
            "link.field": Verdict.DIFFERS,
            "code.form": Verdict.DIFFERS,
            "code.route": Verdict.DIFFERS,
            "code.field": Verdict.DIFFERS,
            "code.status": Verdict.DIFFERS,
            "code.draft": Verdict.NOT_SEEN,
            "update.route": Verdict.NOT_SEEN,
            "update.version": Verdict.NOT_SEEN,
            "status.route": Verdict.NOT_SEEN,
        },
    ),
}


def typed_in(name: str) -> dict[str, str]:
    mail = {"username": "someone@practice.example"} if name == "GraphQL" else {}
    return {**TYPED, **mail}


def report_of(name: str) -> Report:
    return judge(redact(WALKS[name][0](), typed_in(name), SITES))


@pytest.mark.parametrize("name", WALKS)
def test_each_assumption_gets_its_verdict(name: str) -> None:
    report = report_of(name)
    expected = WALKS[name][1]
    seen = {each.name: each.verdict for each in report.judgements if "words." not in each.name}
    assert expected.keys() <= seen.keys()
    assert seen == {judged: expected.get(judged, Verdict.HOLDS) for judged in seen}, str(report)


@pytest.mark.parametrize("name", WALKS)
def test_nothing_personal_is_left(name: str) -> None:
    redacted = redact(WALKS[name][0](), typed_in(name), SITES)
    report = judge(redacted)
    written = [json.dumps(redacted), str(report), report.to_json(), report.to_html()]
    for value in (*typed_in(name).values(), PATIENT, *PATIENT.split(), COOKIE, "2019-03-04"):
        for _, encoded in encodings(value):
            for text in written:
                assert encoded.casefold() not in text.casefold(), value


def test_the_redacted_recording_is_judged_alike() -> None:
    """What was written and read again says the same."""
    redacted = redact(as_assumed(), TYPED, SITES)
    assert str(judge(json.loads(json.dumps(redacted)))) == str(judge(redacted))


def test_what_can_be_used_names_the_fields() -> None:
    used = {each.step: each for each in report_of("forms").reusable}
    assert used["sign in"].request == "POST /login.aspx"
    assert any("txtWord" in what and "password" in what for what in used["sign in"].carries)
    assert any("txtCode" in what and "once" in what for what in used["enter the code"].carries)


def test_words_of_the_guide_are_found_on_pages() -> None:
    report = report_of("forms")
    seen = {each.name for each in report.judgements if each.verdict is Verdict.HOLDS}
    assert {"words.update", "words.here", "words.trios", "words.submission_method"} <= seen
    assert report["words.enter_code_title"].verdict is Verdict.NOT_SEEN


def test_a_sign_in_that_brings_a_code_of_its_own() -> None:
    """A portal behind OpenID Connect is sent a code as well, and before 3Shape's."""
    recording = as_assumed()
    recording["log"]["entries"].insert(
        1, entry("GET", "https://portal.example/callback?code=of-its-own-sign-in&state=x")
    )
    assert code_in(recording) == CODE
    # Where the authorization is not in the export, the first one is all there is.
    recording["log"]["entries"] = [
        e for e in recording["log"]["entries"] if e["request"]["url"] != LINK
    ]
    assert code_in(recording) == "of-its-own-sign-in"


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://www.portal.example/", "portal"),
        ("https://login.portal.example/x", "portal"),
        ("https://login.portal.example.evil.example/", None),
        ("http://login.portal.example/", None),
        ("https://auth.3shapecommunicate.com/", "3shape"),
        ("https://ormco.com/?code=x", None),
    ],
)
def test_the_portals_other_hosts_are_the_portals(url: str, service: str | None) -> None:
    assert Sites("https://www.portal.example").service(url) == service


def test_words_that_a_program_draws_and_those_in_fields() -> None:
    page = f"""<input placeholder="Username"><input placeholder="Lone Hill">
    <select><optgroup label="Intraoral Scanner"><option>3Shape Trios</select>
    <script>draw("My Profile", 'Update', "{PATIENT}", 'PVS')</script>"""
    recording = har(entry("GET", "https://portal.example/", answer=page, gives="text/html"))
    redacted = redact(recording, {}, SITES)
    report = judge(redacted)
    for words in ("username", "intraoral_scanner", "trios", "profile", "update", "pvs"):
        assert report[f"words.{words}"].verdict is Verdict.HOLDS, words
    assert report["words.ok"].verdict is Verdict.NOT_SEEN
    assert not {"Lone", *PATIENT.split()} & set(re.split(r"\W+", json.dumps(redacted)))
    # A program that knows the words is not where the profile is read.
    drawn = har(
        entry(
            "GET", "https://portal.example/", answer="<script>a='PVS'</script>", gives="text/html"
        )
    )
    assert judge(redact(drawn, {}, SITES))["profile.route"].verdict is Verdict.NOT_SEEN


def test_a_walk_that_ended_before_update_says_nothing_about_drafts() -> None:
    recording = as_assumed()
    entries = recording["log"]["entries"]
    del entries[next(n for n, e in enumerate(entries) if e["request"]["method"] == "PUT") :]
    report = judge(redact(recording, TYPED, SITES))
    assert report["code.route"].verdict is Verdict.HOLDS
    assert report["code.draft"].verdict is Verdict.NOT_SEEN


def test_other_hosts_are_left_out() -> None:
    tracker = entry("POST", "https://tracker.example/collect", {"who": TYPED["username"]})
    assert "tracker" not in json.dumps(redact(har(tracker, *at_3shape()), TYPED, SITES))


@pytest.mark.parametrize("document", [{}, [], None, {"log": {}}, {"log": {"entries": [1]}}, "x"])
def test_what_is_no_recording_is_refused(document: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="HAR"):
        redact(document, TYPED, SITES)


def test_a_short_recording_says_not_seen() -> None:
    report = judge(redact(har(*at_3shape()), TYPED, SITES))
    assert report["sign_in.route"].verdict is Verdict.NOT_SEEN
    assert report["link.state"].verdict is Verdict.HOLDS


SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=("Cc", "Cs", "Zs")),
    min_size=6,
    max_size=24,
)


@given(SECRETS, st.integers(0, 3), st.sampled_from(["key", "path", "cookie", "deep", "page"]))
def test_no_typed_value_is_left_wherever_it_was(secret: str, layers: int, where: str) -> None:
    spoilt = secret
    for _ in range(layers):
        spoilt = quote(spoilt, safe="")
    places = {
        "key": entry("POST", "https://portal.example/a", {spoilt: 1}),
        "path": entry("GET", f"https://portal.example/{quote(spoilt, safe='')}/b"),
        "cookie": entry("GET", "https://portal.example/", sent={"Cookie": f"{spoilt}=1"}),
        "deep": entry("POST", "https://portal.example/", {"a": [json.dumps({"b": spoilt})]}),
        "page": entry(
            *("GET", "https://portal.example/"),
            answer=f'<input name="{base64.b64encode(spoilt.encode()).decode()}"><p>{spoilt}</p>',
            gives="text/html",
        ),
    }
    try:
        written = json.dumps(redact(har(places[where]), {"password": secret}, SITES))
    except errors.ConfigurationError:
        return  # Refused: nothing is written at all.
    for _, encoded in encodings(secret):
        assert encoded.casefold() not in written.casefold()


@pytest.mark.parametrize(
    ("length", "named"), [(0, "0"), (1, "1"), (2, "2-2"), (3, "3-4"), (9, "9-16")]
)
def test_length_classes(length: int, named: str) -> None:
    assert length_class("x" * length) == named


def test_a_cookie_beside_a_token_carries_no_session() -> None:
    walk = as_assumed()
    entries = walk["log"]["entries"]
    entries[0]["response"]["headers"].append(
        {"name": "Set-Cookie", "value": "seen=8f2c91d0; path=/"}
    )
    for each in entries[1:3]:
        each["request"]["headers"].insert(0, {"name": "Cookie", "value": "seen=8f2c91d0"})
    assert judge(redact(walk, TYPED, SITES))["session.carrier"].verdict is Verdict.HOLDS


@pytest.mark.parametrize("typed", ["3Shape", "trios", "Intraoral Scanner", "profile"])
def test_words_that_stay_anyway_may_have_been_typed(typed: str) -> None:
    """As what a list was searched for: nothing is refused for it."""
    made = json.dumps(redact(as_assumed(), {**TYPED, "field 3": typed}, SITES))
    assert "3Shape Trios" in made


@pytest.mark.parametrize(
    "spread",
    [
        {"Wolken": {"Kuckuck": 7}},
        [{"Wol": [{"ken": {"Kuc": {"kuck": [{"x7": 1}]}}}]}],
        {"part": ["Wolken&", "Kuckuck%7"]},
        [*"Wolken&Kuckuck%7"],
    ],
)
def test_a_value_in_pieces_is_not_left(spread: Any) -> None:
    answer = entry("GET", "https://portal.example/api/x", answer=spread)
    written = json.dumps(redact(har(answer), {"password": "Wolken&Kuckuck%7"}, SITES))
    letters = "".join(each for each in written if each.isalnum()).casefold()
    assert "wolken" not in written.casefold()
    assert "kuckuck" not in written.casefold()
    assert "wolkenkuckuck7" not in letters


def page_of(html: str) -> dict[str, Any]:
    return entry("GET", "https://portal.example/x", answer=html, gives="text/html")


@pytest.mark.parametrize(
    "made",
    [
        entry("GET", "https://portal.example/patients/Quendelmeyer/balthasar"),
        entry("GET", "https://portal.example/search?Quendelmeyer"),
        entry("GET", "https://portal.example/search?Quendelmeyer=1#Balthasar"),
        entry("GET", "https://portal.example/x", answer={"Quendelmeyer": {"balthasar": 1}}),
        entry("GET", "https://portal.example/x", answer={"balthasarQuendelmeyer": 1}),
        entry("GET", "https://portal.example/x", sent={"Cookie": "Quendelmeyer=1"}),
        entry("GET", "https://portal.example/x", received={"Location": "/p/Quendelmeyer"}),
        entry(
            *("GET", "https://portal.example/x"),
            answer="<?xml version='1.0'?><r><Quendelmeyer>1</Quendelmeyer></r>",
            gives="text/xml",
        ),
        page_of('<form id=Balthasar action="/p/Quendelmeyer"><input name=Quendelmeyer></form>'),
        page_of('<!-- Quendelmeyer --><p title=Balthasar><script>var of = "Quendelmeyer"</script>'),
        entry("QUENDELMEYER", "https://portal.example/x"),
    ],
)
def test_names_are_left_nowhere_even_where_no_answer_says_them(made: dict[str, Any]) -> None:
    written = json.dumps(redact(har(made), {"password": TYPED["password"]}, SITES)).casefold()
    assert "quendelmeyer" not in written
    assert "balthasar" not in written


def test_names_that_a_program_has_written_stay() -> None:
    script = 'fetch("/bff/grants", {body: {grantOfScanner: value}}); show(said.device);'
    made = har(
        entry(
            *("GET", "https://portal.example/app.js"), answer=script, gives="application/javascript"
        ),
        entry(
            *("POST", "https://portal.example/bff/grants", {"txtGrant": CODE}), {"device": PATIENT}
        ),
    )
    written = json.dumps(redact(made, TYPED, SITES))
    for name in ("/bff/grants", "txtGrant", "device"):
        assert name in written
    assert PATIENT not in written
