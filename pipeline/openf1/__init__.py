"""Lap data from the public OpenF1 API (https://openf1.org), version 1."""

from pipeline.openf1.assembly import download_laps
from pipeline.openf1.client import PUBLIC_API, OpenF1Client
from pipeline.openf1.errors import OpenF1Error

__all__ = ["PUBLIC_API", "OpenF1Client", "OpenF1Error", "download_laps"]
