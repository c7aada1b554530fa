"""From a HAR file to one that holds nothing personal and no secret.

Nothing is searched for and taken out.  A new document is built from what may stay: methods, status
codes, the hosts of the portal and of 3Shape, words of routes and fields, and the guide's phrases.
A name stays if its words are common ones, or if a program of the portal has written it and no
answer says it.  Everything else becomes a placeholder (`values`).
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.ormcodigital.browser.sites import belongs
from ormco_trios.ormcodigital.documents import Json, as_list, as_object, is_list, is_object
from ormco_trios.ormcodigital.first_contact.values import Values
from ormco_trios.ormcodigital.phrases import phrase_of

THREESHAPE = (".3shapecommunicate.com", ".3shape.com")

_HEADERS = frozenset(
    "accept authorization content-type cookie etag if-match if-none-match location set-cookie "
    "www-authenticate x-csrf-token x-requested-with x-xsrf-token".split()
)
_HTTP = frozenset("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE".split())
_WORD = re.compile(r"[A-Za-z_$@.:\[\]-]{1,40}")
_XML = re.compile(
    r"<\?[^>]*\?>|<(?P<slash>/?)(?P<name>[\w:.-]+)[^>]*>|<!\[CDATA\[(?P<cdata>.*?)\]\]>|(?P<words>[^<]+)",
    re.DOTALL,
)
_SCRIPT = re.compile(r"(?is)<(?:script|style)\b[^>]*>(.*?)</(?:script|style)>")
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`]*`")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# Words that may be part of a route or a field's name even where they are also a person's value.
_KNOWN = frozenset(
    "3shape acc access account acct action add address adfs agree allow and api app application "
    "applications approve as ashx asmx asp aspx at auth authenticate authorisation authorise "
    "authorization authorize base bearer body btn by callback case cases cgi check chk city "
    "client clinic close code communicate complete confirm connect connected connection "
    "connections content control country create csrf ctl current data ddl default delete dental "
    "dentist device dialog disconnect display dlg do doctor doctors draft edit email enter error "
    "errors etag eventargument eventtarget eventvalidation exchange expires field fields for form "
    "forms frame get grant graphql hdn hid home html id identity in index info insignia "
    "integration integrations intraoral items jsessionid json jsp lab labs last lastfocus lbl "
    "link list login logon logout main me message method methods mobile modal mutation my name "
    "net new number oauth of oidc ok okta on operation operations option options order orders "
    "ormco orthodontist out page panel pass password path patient patients pay payload pending "
    "phone php phpsessid placeholder popup post practice preferences production prof profile "
    "profiles put pwd query radio rbl redirect refresh register remember request "
    "requestverificationtoken response result results return revision rpc saml save scan scanner "
    "scanners scope select server service session sessions set setting settings shape shipping "
    "sid sign signin signout signup source sso start state status step street submission submit "
    "svc tab text the threeshape title to token trios two txt type uid update updated uri url "
    "user username users usr v value variables verification verify version view viewstate "
    "viewstategenerator web window with www xml xsrf zip".split()
)


def _is_public(typed: str) -> bool:
    """Whether it is no more than words that stay anyway, as what a list was searched for."""
    return phrase_of(typed) is not None or _are_known(_PARTS.findall(typed))


def _are_known(parts: list[str]) -> bool:
    return all(part.casefold() in _KNOWN or (part.isdecimal() and len(part) == 1) for part in parts)


@dataclass(frozen=True, slots=True)
class Sites:
    """Which hosts belong to whom.

    Attributes:
        portal: The portal's address, such as ``https://portal.example``, which stands for its
            siblings as well; with a path, only what is below it.
        threeshape: 3Shape's: suffixes with a leading dot, or addresses.
    """

    portal: str
    threeshape: tuple[str, ...] = THREESHAPE

    def service(self, url: str) -> str | None:
        """``portal``, ``3shape``, or None for everybody else."""
        if _below(self.portal, url):
            return "portal"
        host = urlsplit(url).hostname or ""
        for rule in self.threeshape:
            if host.endswith(rule) if rule.startswith(".") else _below(rule, url):
                return "3shape"
        # Such as the host of its sign-in.
        whole = not urlsplit(self.portal).path.rstrip("/")
        return "portal" if whole and belongs(url, self.portal) else None


def _below(base: str, url: str) -> bool:
    there, here = urlsplit(base), urlsplit(url)
    path = there.path.rstrip("/")
    return (
        (there.scheme, there.netloc) == (here.scheme, here.netloc)
        and (here.path == path or here.path.startswith(f"{path}/"))
    )  # fmt: skip


def entries_of(har: Json) -> list[dict[str, Json]]:
    """The entries of a HAR file.

    Raises:
        ConfigurationError: It is no HAR.
    """
    log = as_object(as_object(har).get("log"))
    entries = [as_object(entry) for entry in as_list(log.get("entries"))]
    if not is_list(log.get("entries")) or not all(
        as_object(entry.get("request")) for entry in entries
    ):
        raise ConfigurationError(
            "The file is no HAR recording: it has no list of requests.",
            advice="Export it again: DevTools, Network, *Export HAR*.",
        )
    return entries


def redact(har: Json, typed: Mapping[str, str], sites: Sites) -> Json:
    """The recording without anything personal or secret.

    Args:
        har: A HAR document as a browser writes it.
        typed: What the person typed, by name: ``username``, ``password``, ``code`` and so on.
        sites: Which hosts are recorded; all others are left out.

    Raises:
        ConfigurationError: It is no HAR, or a typed value would be left in what is written.
    """
    entries = [
        entry
        for entry in entries_of(har)
        if sites.service(str(entry["request"].get("url", ""))) is not None
        or _brings_code(entry, typed)
    ]
    # Whether the portal asks for a user name or for an e-mail is one of the questions.
    named = {
        "e-mail" if name == "username" and "@" in value else name: value
        for name, value in typed.items()
        if not (name.startswith("field ") and _is_public(value))
    }
    values = Values(named)
    words = frozenset(_program_words(entries)) - frozenset(_data_words(entries))
    redactor = _Redactor(values, sites, words)
    made = {
        "log": {
            "version": "1.2",
            "creator": {"name": "ormco-trios", "version": "first-contact"},
            "comment": "Redacted: every value is a placeholder.",
            "entries": [redactor.entry(entry) for entry in entries],
        }
    }
    left = values.left_in(json.dumps(made, ensure_ascii=False))
    if left is not None:
        raise ConfigurationError(
            f"A typed value ({left}) would still be in the recording; nothing was written.",
            advice="Report which field it was, without its value.",
        )
    return made


def is_redacted(har: Json) -> bool:
    """Whether `redact` made this document."""
    creator = as_object(as_object(as_object(har).get("log")).get("creator"))
    return creator.get("version") == "first-contact"


def _brings_code(entry: Json, typed: Mapping[str, str]) -> bool:
    """Whether this is the page that the person was redirected to with the code."""
    code = typed.get("code")
    if not code:
        return False
    return any(
        name == "code" and code in {value, unquote(value), unquote(unquote(value))}
        for name, value in parse_qsl(urlsplit(str(entry["request"].get("url", ""))).query)
    )


class _Redactor:
    def __init__(self, values: Values, sites: Sites, words: frozenset[str]) -> None:
        self._values = values
        self.sites = sites
        self._words = words

    def entry(self, entry: Json) -> Json:
        request, response = entry["request"], as_object(entry.get("response"))
        url = str(request.get("url", ""))
        made: dict[str, Json] = {
            "_service": self.sites.service(url) or "redirect",
            "request": {
                "method": method if (method := str(request.get("method"))) in _HTTP else "OTHER",
                "url": self.url(url),
                "headers": self._headers(request),
            },
            "response": {
                "status": int(response.get("status") or 0),
                "headers": self._headers(response),
            },
        }
        post = as_object(request.get("postData"))
        if post.get("text") or post.get("params"):
            made["request"]["postData"] = self._posted(post)
        for message in map(as_object, as_list(entry.get("_webSocketMessages"))):
            made.setdefault("_webSocketMessages", []).append(
                {
                    "type": "send" if message.get("type") == "send" else "receive",
                    "data": self._body(str(message.get("data", "")), ""),
                }
            )
        content = as_object(response.get("content"))
        text = _text_of(content)
        if text:
            media = _media(content.get("mimeType"))
            made["response"]["content"] = {"mimeType": media, "text": self._body(text, media)}
        return made

    def url(self, url: str) -> str:
        """An address with the words of its route and the names of its parameters."""
        parts = urlsplit(url)
        known = self.sites.service(url) is not None
        host = parts.netloc.rpartition("@")[2] if known else (parts.hostname or "")
        made = f"{parts.scheme}://{host}{self._path(parts, known)}"
        # As it is on the wire: how often the code is percent-encoded is one of the questions.
        pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
        query = [
            f"{self.name(unquote(name))}={self._parameter(value)}" if equals else self.text(name)
            for name, equals, value in pairs
        ]
        if query:
            made += f"?{'&'.join(query)}"
        return made + (f"#{self._values.of_text(parts.fragment)}" if parts.fragment else "")

    def _parameter(self, value: str) -> str:
        address = unquote(value)
        return self.text(address if re.match(r"https?://", address) else value)

    def _path(self, parts: SplitResult, known: bool) -> str:
        if not known:
            return parts.path if parts.path in {"", "/"} else "/{path}"
        return "/".join(
            self.name(unquote(segment)) if segment else "" for segment in parts.path.split("/")
        )

    def name(self, name: str) -> str:
        """A field's name or a word of a route, where it can be nothing else."""
        parts = [part.casefold() for part in _PARTS.findall(name)]
        if parts and _are_known(parts):
            if len(name) <= 60 and self._values.left_in(name) is None:
                return name
        elif (
            _WORD.fullmatch(name)
            and self._words.union(_KNOWN).issuperset(parts)
            and self._values.left_in(name) is None
            and not self._values.is_part(name)
        ):
            return name
        return self._values.of_text(name)

    def text(self, text: str) -> str:
        """A value; an address among them shows its route, as it is one of a known host."""
        if re.match(r"https?://", text):
            return self.url(text) if self.sites.service(text) else self._values.of_text(text)
        nested = _json(text) if text[:1] in {"{", "["} else None
        if nested is not None:
            return json.dumps(self._json(nested))
        return self._values.of_text(text)

    def _json(self, value: Json) -> Json:
        if is_object(value):
            return {self.name(name): self._json(each) for name, each in value.items()}
        if is_list(value):
            # More of the same says nothing more.
            return [self._json(each) for each in value[:20]]
        return self.text(value) if isinstance(value, str) else self._values.of_json(value)

    def _headers(self, message: dict[str, Json]) -> list[dict[str, str]]:
        made: list[dict[str, str]] = []
        for header in map(as_object, as_list(message.get("headers"))):
            name, value = str(header.get("name", "")).lower(), str(header.get("value", ""))
            if name not in _HEADERS:
                continue
            if name in {"content-type", "accept"}:
                shown = _media(value)
            elif name == "authorization":
                scheme, _, credentials = value.partition(" ")
                shown = f"{self.name(scheme)} {self._values.of_text(credentials)}"
            elif name == "location" and value.startswith("/"):
                shown = self.url(f"https://here{value}")
            elif name in {"cookie", "set-cookie"}:
                pairs = value.split(";")[: None if name == "cookie" else 1]
                shown = "; ".join(
                    f"{self.name(key.strip())}={self._values.of_text(rest)}"
                    for key, _, rest in (pair.partition("=") for pair in pairs)
                )
            else:
                shown = self.text(value)
            made.append({"name": name, "value": shown})
        return made

    def _posted(self, post: dict[str, Json]) -> Json:
        media = _media(post.get("mimeType"))
        fields = _fields(post)
        if fields:
            return {
                "mimeType": media,
                "params": [
                    {"name": self.name(name), "value": self.text(value)} for name, value in fields
                ],
            }
        return {"mimeType": media, "text": self._body(str(post.get("text", "")), media)}

    def _body(self, text: str, media: str) -> str:
        document = _json(text)
        if document is not None:
            return json.dumps(self._json(document))
        if "html" not in media and ("xml" in media or text.startswith("<?xml")):
            return _XML.sub(self._xml, text)
        if "html" in media or text.lstrip()[:1] == "<":
            page = _Page(self)
            page.feed(text)
            page.close()
            return "".join(page.made)
        if "javascript" in media or media == "text/css":
            return json.dumps(self.program(text))
        return self._values.of_text(text)

    def program(self, text: str) -> list[str]:
        """Of a program, only the guide's words that a page would show."""
        shown = re.findall(r"[\"'`>]([^\"'`<>]{2,80})(?=[\"'`<])", text)
        # A page that a program writes may have attributes without quotes.
        shown += re.findall(r"(?:alt|label|placeholder|value)=([^\"'`<>\s]{2,40})", text)
        shown = list(filter(phrase_of, map(html.unescape, shown)))
        return [self._values.of_text(words) for words in dict.fromkeys(shown)]

    def _xml(self, found: re.Match[str]) -> str:
        if found["name"] is None:
            words = (found["cdata"] or found["words"] or "").strip()
            return self.text(html.unescape(words)) if words else ""
        return f"<{found['slash']}{self.name(found['name'])}>"


class _Page(HTMLParser):
    """A page with its forms and the guide's phrases, and placeholders for all other words."""

    _KEPT = frozenset(
        "a button dialog fieldset form h1 h2 h3 iframe img input label legend meta optgroup option "
        "select textarea".split()
    )
    _SHOWN = frozenset({"alt", "aria-label", "label", "placeholder"})
    _ATTRIBUTES = frozenset("action checked for href id method name role selected type".split())

    def __init__(self, redactor: _Redactor) -> None:
        super().__init__(convert_charrefs=True)
        self._redactor = redactor
        self._silent = 0
        self.made: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style"}:
            self._silent += 1
            return
        for name, value in attrs:
            if name.startswith("on"):
                self.made += self._links(value)
        if tag not in self._KEPT:
            return
        kept: list[tuple[str, str]] = []
        for name, value in attrs:
            if name == "value" and value:
                kept.append((name, self._redactor.text(value)))
            elif name in {"href", "action"} and value:
                absolute = re.match(r"https?://", value) is not None
                route = self._redactor.url(value if absolute else f"https://here{value}")
                kept.append((name, route))
            elif name in self._SHOWN and phrase_of(value or ""):
                kept.append((name, self._redactor.text(value or "")))
            elif name in self._ATTRIBUTES:
                kept.append((name, self._redactor.name(value or "") if value else ""))
        attributes = "".join(f' {name}="{value}"' for name, value in kept)
        self.made.append(f"<{tag}{attributes}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._silent = max(0, self._silent - 1)
        elif tag in self._KEPT:
            self.made.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if self._silent:
            self.made += self._links(data)
            shown = self._redactor.program(data)
            if shown:
                self.made += ["<script>", "\n".join(shown), "</script>"]
        elif words:
            if self.made and not self.made[-1].endswith(">"):
                self.made.append("\n")
            self.made.append(self._redactor.text(words))

    def _links(self, program: str | None) -> Iterator[str]:
        """Where a program sends a person at 3Shape, such as for *here*."""
        for link in re.findall(r"https?://[^\s'\"`<>]+", program or ""):
            if self._redactor.sites.service(link) == "3shape":
                yield self._redactor.url(link)


def _media(declared: object) -> str:
    """The media type, where it is a plain one."""
    media = str(declared or "").partition(";")[0].strip().lower()
    return media if re.fullmatch(r"[a-z]+/[a-z0-9.+-]{1,40}", media) else ""


def _json(text: str) -> Json:
    """The document, or None if it is none; a number or a word alone is none either."""
    try:
        document: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return as_object(document) or as_list(document) or None


def _text_of(content: dict[str, Json]) -> str:
    """The body of an answer, as far as it is text."""
    text = str(content.get("text") or "")
    if content.get("encoding") != "base64":
        return text
    try:
        return base64.b64decode(text).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _fields(post: dict[str, Json]) -> list[tuple[str, str]]:
    """Names and values of a form that was sent."""
    params = [as_object(each) for each in as_list(post.get("params"))]
    media, text = _media(post.get("mimeType")), str(post.get("text", ""))
    if params:
        return [(str(each.get("name", "")), str(each.get("value") or "")) for each in params]
    if media == "application/x-www-form-urlencoded":
        return parse_qsl(text, keep_blank_values=True)
    return list(_multipart(text)) if media == "multipart/form-data" else []


def _multipart(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"(?:^|\r?\n)--[^\r\n]+", text):
        head, _, value = part.replace("\r\n", "\n").lstrip("\n").partition("\n\n")
        name = re.search(r'name="([^"]*)"', head)
        if name is not None:
            yield name[1], value


def _program_words(entries: list[dict[str, Json]]) -> Iterator[str]:
    """Words that a program has written: those of its own text, and names of what it sends."""

    def names(value: Json) -> Iterator[str]:
        for name, each in as_object(value).items():
            yield name
            yield from names(each)
        for each in as_list(value):
            yield from names(each)

    for entry in entries:
        post = as_object(entry["request"].get("postData"))
        sent = str(post.get("text") or "")
        content = as_object(as_object(entry.get("response")).get("content"))
        text = _text_of(content)
        is_program = "javascript" in str(content.get("mimeType"))
        programs = text if is_program else " ".join(_SCRIPT.findall(text))
        found = [
            *names(_json(sent)),
            *(name for name, _ in _fields(post)),
            *re.findall(r"<([\w:.-]+)", sent if "xml" in str(post.get("mimeType")) else ""),
            # What it quotes is data, but for routes.
            *re.findall(r"[A-Za-z_$]+", _QUOTED.sub(" ", programs)),
            *re.findall(r"[\"'`]/([A-Za-z/._-]+)", programs),
        ]
        for name in found:
            yield from (part.casefold() for part in _PARTS.findall(name))


def _data_words(entries: list[dict[str, Json]]) -> Iterator[str]:
    """Words of what the answers say: a route or a field's name made of them may be a person's."""

    def texts(value: Json) -> Iterator[str]:
        for each in (*as_object(value).values(), *as_list(value)):
            yield from texts(each)
        if isinstance(value, str):
            yield value

    for entry in entries:
        content = as_object(as_object(entry.get("response")).get("content"))
        text = _text_of(content)
        document = _json(text)
        if re.search(r"javascript|css", str(content.get("mimeType"))):
            text = f"<script>{text}</script>"
        # A program's own words are no data; what it quotes with a capital letter may be a name.
        programs = " ".join(_SCRIPT.findall(text))
        pages = re.sub(r"<[^>]*>", " ", _SCRIPT.sub(" ", text))
        spoken = [pages, " ".join(re.findall(r"\b[A-Z][^\W\d_]{2,}", programs))]
        for each in texts(document) if document is not None else spoken:
            if phrase_of(each) is None:
                yield from (word.casefold() for word in re.findall(r"[^\W\d_]{3,}", each))
