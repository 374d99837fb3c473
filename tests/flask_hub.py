"""Runs Flask-WebSub, a hub that others wrote, at a port of loopback: `python flask_hub.py PORT FILE`.

It is started by the Python of an environment that has it (`make prove-hub`); its jobs run as they come.
"""

import sys

import celery
import flask
from flask_websub.hub import Hub, SQLite3HubStorage

app = flask.Flask(__name__)
app.config["PUBLISH_SUPPORTED"] = True
jobs = celery.Celery("hub", task_always_eager=True)
hub = Hub(SQLite3HubStorage(sys.argv[2]), jobs, **app.config)
app.register_blueprint(hub.build_blueprint(url_prefix="/hub"))

if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
