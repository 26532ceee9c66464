"""What Alertmanager's webhook sends (version 4), as far as it is kept."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Status = Literal["firing", "resolved"]


class _Sent(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Alert(_Sent):
    """`ends_at` lies in the year 1 while the alert fires."""

    status: Status
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    fingerprint: str


class Notification(_Sent):
    """One group of alerts. Its status is firing as long as one of them is."""

    receiver: str
    status: Status
    group_labels: dict[str, str]
    alerts: list[Alert] = Field(min_length=1)
