"""Secrets with random passwords, as manifests for kubectl.

`python -m deploy.kubernetes.secrets | kubectl apply --namespace f1pa -f -` makes them, once for an
installation. Again means new passwords: PostgreSQL takes them by itself, the API's pods after
`kubectl rollout restart deployment/f1pa-api`.
"""

import secrets

import click
import yaml  # type: ignore[import-untyped]  # PyYAML comes without types

# The roles of PostgreSQL by the secret that holds their password.
DATABASE_ROLES = {
    "f1pa-database-owner": "f1pa",
    "f1pa-database-api": "f1pa_api",
    "f1pa-database-exporter": "f1pa_exporter",
    "f1pa-database-drift": "f1pa_drift",
}
API_USER = "f1pa-api-user"
# CloudNativePG follows a change of such a secret.
RELOADED = {"cnpg.io/reload": "true"}


def manifests(demo: bool) -> list[dict[str, object]]:
    """`demo`: the API's password is the one that everybody knows."""
    # Nothing that a URL would have to quote.
    found = [_secret(name, role, secrets.token_hex(24)) for name, role in DATABASE_ROLES.items()]
    return [*found, _secret(API_USER, "f1pa", "f1pa" if demo else secrets.token_hex(24))]


def _secret(name: str, username: str, password: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": RELOADED if name in DATABASE_ROLES else {}},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"username": username, "password": password},
    }


@click.command(help=__doc__)
@click.option("--demo", is_flag=True, help="The API's user and password are both f1pa.")
def main(demo: bool) -> None:
    click.echo(yaml.safe_dump_all(manifests(demo), sort_keys=False), nl=False)


if __name__ == "__main__":
    main()
