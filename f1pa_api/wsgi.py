"""The application of a Gunicorn worker. Imported after the fork: it starts threads."""

import atexit
import gc

from f1pa_api import logs, services
from f1pa_api.application import create_app
from f1pa_api.settings import load

logs.configure()
_settings = load()
_services = services.build(_settings)
app = create_app(_settings, _services)
# What is there now stays; the collector need not look at it again and again.
gc.collect()
gc.freeze()
_services.start()
atexit.register(_services.close)
