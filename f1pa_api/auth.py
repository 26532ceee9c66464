"""HTTP Basic authentication, by the policy of each blueprint."""

import hmac
from enum import Enum
from typing import cast

from flask import Blueprint, Flask, request

from f1pa_api.settings import Settings

REALM = "F1PA"
EXTENSION = "f1pa_policies"


class Policy(Enum):
    OPEN = "open"
    AUTHENTICATED = "authenticated"


class UnauthorizedError(Exception):
    """The request's credentials are missing or wrong."""


def init_app(app: Flask, settings: Settings) -> None:
    """Check every request that has a route; a route without a policy is not open."""
    policies: dict[str, Policy] = {}
    app.extensions[EXTENSION] = policies
    user = settings.basic_auth_user.get_secret_value().encode()
    password = settings.basic_auth_password.get_secret_value().encode()

    def check() -> None:
        if request.url_rule is None or policies.get(request.blueprint or "") is Policy.OPEN:
            return
        given = request.authorization
        if given is None or given.type != "basic":
            raise UnauthorizedError
        # Both are compared in full, so that the time tells nothing about either.
        user_fits = hmac.compare_digest((given.username or "").encode(), user)
        password_fits = hmac.compare_digest((given.password or "").encode(), password)
        if not (user_fits & password_fits):
            raise UnauthorizedError

    app.before_request(check)


def register(app: Flask, blueprint: Blueprint, policy: Policy) -> None:
    """Register `blueprint`, whose every route gets `policy`."""
    policies(app)[blueprint.name] = policy
    app.register_blueprint(blueprint)


def policies(app: Flask) -> dict[str, Policy]:
    return cast("dict[str, Policy]", app.extensions[EXTENSION])
