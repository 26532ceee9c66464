"""HTTP Basic authentication, by the policy of each blueprint."""

from enum import Enum
from typing import cast

from flask import Blueprint, Flask

from f1pa_api.credentials import current_users
from f1pa_api.doorkeeper import Doorkeeper
from f1pa_api.failed_attempts import FailedAttempts
from f1pa_api.settings import Settings
from f1pa_api.web import Api, current_request

EXTENSION = "f1pa_policies"


class Policy(Enum):
    OPEN = "open"
    AUTHENTICATED = "authenticated"


def init_app(app: Api, settings: Settings) -> None:
    """Check every request that has a route; a route without a policy is not open."""
    policies: dict[str, Policy] = {}
    app.extensions[EXTENSION] = policies
    doorkeeper = Doorkeeper(
        current_users(settings),
        FailedAttempts(settings.auth_failures_per_minute),
        queue=max(1, settings.api_threads // 2),
        demo_allowed=settings.demo_credentials,
    )

    app.lets_in_at_once = doorkeeper.decides_at_once

    def check() -> None:
        asked = current_request()
        if asked.url_rule is None or policies.get(asked.blueprint or "") is Policy.OPEN:
            return
        environ = asked.environ
        # The address that connected: a forwarded one is the client's own claim.
        doorkeeper.admit(environ.get("HTTP_AUTHORIZATION", ""), environ.get("REMOTE_ADDR", ""))

    app.before_request(check)


def register(app: Api, blueprint: Blueprint, policy: Policy) -> None:
    """Register `blueprint`, whose every route gets `policy`."""
    policies(app)[blueprint.name] = policy
    app.register_blueprint(blueprint)


def policies(app: Flask) -> dict[str, Policy]:
    return cast("dict[str, Policy]", app.extensions[EXTENSION])
