"""django-oauth-toolkit on a free port of 127.0.0.1; prints its issuer.

The one user is signed in already: what is shown is the consent page.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

urlpatterns: list[Any] = []


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def signed_in(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A middleware that knows the user."""

    def answer(request: Any) -> Any:
        from django.contrib.auth.models import User

        request.user = User.objects.get()
        return get_response(request)

    return answer


def main(redirect: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    server = make_server("127.0.0.1", 0, lambda *_: [], handler_class=Quiet)
    issuer = f"http://127.0.0.1:{server.server_port}/o"
    settings.configure(
        DEBUG=False,
        SECRET_KEY="for this test only",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "oauth2_provider",
        ],
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware", f"{__name__}.signed_in"],
        TEMPLATES=[
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
        ],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": key.decode(),
            "OIDC_ISS_ENDPOINT": issuer,
            "PKCE_REQUIRED": True,
            "ROTATE_REFRESH_TOKEN": True,
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
            "SCOPES": {"openid": "Who you are", "api": "Your cases", "offline_access": "Later"},
        },
    )
    django.setup()
    call_command("migrate", verbosity=0)

    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    user = User.objects.create_user("mira", "mira@clinic.example", "for this test only")
    for name, kind in (("public", "public"), ("confidential", "confidential")):
        Application.objects.create(
            client_id=name,
            client_secret="s+e%c/r:e t" if kind == "confidential" else "",
            client_type=kind,
            name=name,
            user=user,
            authorization_grant_type="authorization-code",
            redirect_uris=redirect,
            algorithm="RS256",
        )
    urlpatterns.append(path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")))
    server.set_app(get_wsgi_application())
    print(issuer, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
