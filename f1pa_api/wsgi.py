"""The application of a Gunicorn worker. Imported after the fork: it starts threads."""

import atexit
import logging

from f1pa_api import services
from f1pa_api.application import create_app
from f1pa_api.settings import load

logging.basicConfig(format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
logging.getLogger("f1pa_api").setLevel(logging.INFO)

_settings = load()
_services = services.build(_settings)
app = create_app(_settings, _services)
_services.start()
atexit.register(_services.close)
