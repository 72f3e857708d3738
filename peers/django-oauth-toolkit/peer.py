"""django-oauth-toolkit, the engine that PostHog builds on, as a test peer on loopback.

One person is always signed in and every request for authorization is granted at once, so a plain HTTP GET of
the authorization endpoint answers with the redirect. What is set below under OAUTH2_PROVIDER is what PostHog
sets; `--grace` changes one of these values, because the grace of 120 seconds hides races.

Two clients are registered: `client_id` rotates refresh tokens and has access tokens of one hour, as PostHog's
manually created applications have. `non_rotating_client_id` keeps one refresh token, leaves old access tokens
alone and has access tokens of seven days, as its dynamically registered applications have; so does each client
registered at the registration endpoint.

When ready it prints one line of JSON. It ends when its standard input ends.
"""

import argparse
import json
import signal
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--port", type=int, default=0, help="0 takes any free port")
arguments.add_argument("--grace", type=int, default=120, help="seconds in which a used refresh token still works")
arguments.add_argument("--redirect-uri", default="http://127.0.0.1/callback")
options = arguments.parse_args()

HOUR = 3600
WEEK = 7 * 24 * HOUR
NON_ROTATING = "keeps its refresh token"

SCOPES = """openid profile email introspection organization:read project:read query:read
event_definition:read annotation:read annotation:write""".split()

# The socket comes first: the issuer is built from its port.
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler  # noqa: E402


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Server(ThreadedWSGIServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", options.port), QuietHandler)
BASE = f"http://127.0.0.1:{server.server_address[1]}"
folder = tempfile.TemporaryDirectory(prefix="pockethog-peer-")


def lifetime(request):
    return WEEK if request.client and request.client.name == NON_ROTATING else HOUR


def random_token(prefix):
    from oauthlib.common import generate_token

    return lambda request: prefix + generate_token(43)


from django.conf import settings  # noqa: E402

settings.configure(
    SECRET_KEY="only for tests on loopback",
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    # For the engine's own 400 page.
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    MIDDLEWARE=[f"{__name__}.always_signed_in"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(folder.name) / "peer.sqlite3"),
            # Without IMMEDIATE, concurrent refreshes answer 500 "database is locked".
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    },
    LOGGING_CONFIG=None,
    OAUTH2_PROVIDER={
        "PKCE_REQUIRED": True,
        "AUTHORIZATION_CODE_EXPIRE_SECONDS": 300,
        "ACCESS_TOKEN_EXPIRE_SECONDS": HOUR,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": options.grace,
        "REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 24 * HOUR,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
        "SCOPES": {scope: scope for scope in SCOPES},
        "DEFAULT_SCOPES": ["openid"],
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": BASE,
        "OIDC_RSA_PRIVATE_KEY": rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode(),
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
        "ACCESS_TOKEN_GENERATOR": random_token("pha_"),
        "REFRESH_TOKEN_GENERATOR": random_token("phr_"),
        "EXTRA_SERVER_KWARGS": {"token_expires_in": lifetime},
    },
)
import django  # noqa: E402

django.setup()

import logging  # noqa: E402

# A refused token is what the tests ask for; a crash is not, and is printed.
logging.basicConfig(level=logging.ERROR)

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db.models import F  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path, re_path  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from oauth2_provider import views  # noqa: E402
from oauth2_provider.models import (  # noqa: E402
    get_access_token_model,
    get_application_model,
    get_refresh_token_model,
)
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402

AccessToken = get_access_token_model()
Application = get_application_model()
RefreshToken = get_refresh_token_model()


class Validator(OAuth2Validator):
    """What PostHog overrides and a client can see: clients that keep one refresh token."""

    oidc_claim_scope = None

    def rotate_refresh_token(self, request):
        return request.client.name != NON_ROTATING and super().rotate_refresh_token(request)

    def _save_bearer_token(self, token, request, *args, **kwargs):
        used = getattr(request, "refresh_token_instance", None)
        if request.client.name == NON_ROTATING and isinstance(used, RefreshToken):
            # The engine would overwrite the old access token; PostHog leaves it valid until it expires.
            expires = timezone.now() + timedelta(seconds=token["expires_in"])
            self._create_access_token(expires, request, token)
        else:
            super()._save_bearer_token(token, request, *args, **kwargs)

    def get_additional_claims(self, request):
        scopes = request.scopes or []
        claims = {}
        if "profile" in scopes:
            claims |= {"given_name": request.user.first_name, "family_name": request.user.last_name}
        if "email" in scopes:
            claims |= {"email": request.user.email, "email_verified": True}
        return claims


counters = {}
counting = threading.Lock()


def always_signed_in(get_response):
    def middleware(request):
        request.user = request._cached_user = person
        with counting:
            counters[request.path] = counters.get(request.path, 0) + 1
        return get_response(request)

    return middleware


def metadata(_request):
    return JsonResponse(
        {
            "issuer": BASE,
            "authorization_endpoint": f"{BASE}/oauth/authorize/",
            "token_endpoint": f"{BASE}/oauth/token/",
            "userinfo_endpoint": f"{BASE}/oauth/userinfo/",
            "revocation_endpoint": f"{BASE}/oauth/revoke/",
            "introspection_endpoint": f"{BASE}/oauth/introspect/",
            "registration_endpoint": f"{BASE}/oauth/register/",
            "jwks_uri": f"{BASE}/.well-known/jwks.json",
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    )


def new_client(name, redirect_uris):
    return Application.objects.create(
        name=name,
        user=person,
        client_type=Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=" ".join(redirect_uris),
        algorithm=Application.RS256_ALGORITHM,
        skip_authorization=True,
    )


@csrf_exempt
def register(request):
    try:
        wanted = json.loads(request.body)
        client = new_client(NON_ROTATING, wanted["redirect_uris"])
    except (ValueError, TypeError, KeyError) as error:
        return JsonResponse({"error": "invalid_client_metadata", "error_description": str(error)}, status=400)
    answer = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created.timestamp()),
        "redirect_uris": client.redirect_uris.split(),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    if "client_name" in wanted:
        answer["client_name"] = wanted["client_name"]
    return JsonResponse(answer, status=201)


def me(request):
    """A protected resource, with the bodies of PostHog's API: 401 where the engine's own view would say 403."""

    def refused(code, detail):
        answer = JsonResponse(
            {"type": "authentication_error", "code": code, "detail": detail, "attr": None}, status=401
        )
        answer["WWW-Authenticate"] = "Bearer"
        return answer

    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not bearer:
        return refused("not_authenticated", "Authentication credentials were not provided.")
    token = AccessToken.objects.filter(token=bearer).first()
    if token is None:
        return refused("authentication_failed", "Invalid access token.")
    if token.is_expired():
        return refused("authentication_failed", "Access token has expired.")
    return JsonResponse({"uuid": str(token.user.pk), "first_name": token.user.first_name, "scope": token.scope})


@csrf_exempt
def expire_access_tokens(_request):
    """Every access token has run out, without anybody having waited for it."""
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    return JsonResponse({"access_tokens": AccessToken.objects.count()})


@csrf_exempt
def let_the_grace_pass(_request):
    """Every refresh token that was used was used longer ago than the grace."""
    changed = RefreshToken.objects.filter(revoked__isnull=False).update(
        revoked=F("revoked") - timedelta(seconds=options.grace + 1)
    )
    return JsonResponse({"refresh_tokens": changed})


@csrf_exempt
def revoke_everything(_request):
    """The person removes the application: tokens and refresh tokens are gone."""
    RefreshToken.objects.all().delete()
    AccessToken.objects.all().delete()
    return JsonResponse({})


def counted(_request):
    with counting:
        return JsonResponse(dict(counters))


urlpatterns = [
    re_path(r"^\.well-known/(?:oauth-authorization-server|openid-configuration)/?$", metadata),
    path(".well-known/jwks.json", views.JwksInfoView.as_view()),
    re_path(r"^oauth/authorize/?$", views.AuthorizationView.as_view()),
    re_path(r"^oauth/token/?$", views.TokenView.as_view()),
    re_path(r"^oauth/revoke/?$", views.RevokeTokenView.as_view()),
    re_path(r"^oauth/introspect/?$", views.IntrospectTokenView.as_view()),
    re_path(r"^oauth/userinfo/?$", views.UserInfoView.as_view()),
    re_path(r"^oauth/register/?$", register),
    re_path(r"^api/users/@me/?$", me),
    path("_peer/expire_access_tokens", expire_access_tokens),
    path("_peer/let_the_grace_pass", let_the_grace_pass),
    path("_peer/revoke_everything", revoke_everything),
    path("_peer/counters", counted),
]

call_command("migrate", verbosity=0)
person = get_user_model().objects.create(
    username="ada", first_name="Ada", last_name="Lovelace", email="ada@example.com", last_login=timezone.now()
)
rotating = new_client("rotates its refresh token", [options.redirect_uri])
non_rotating = new_client(NON_ROTATING, [options.redirect_uri])
server.set_app(get_wsgi_application())


def end_with_standard_input():
    while sys.stdin.buffer.read(1024):
        pass
    server.shutdown()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
threading.Thread(target=end_with_standard_input, daemon=True).start()
print(
    json.dumps(
        {
            "issuer": BASE,
            "client_id": rotating.client_id,
            "non_rotating_client_id": non_rotating.client_id,
            "grace": options.grace,
            "subject": str(person.pk),
        }
    ),
    flush=True,
)
try:
    server.serve_forever(poll_interval=0.1)
finally:
    folder.cleanup()
