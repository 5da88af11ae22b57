"""For a WSGI server of your own: `gunicorn wsgi:app`."""

from pocdir.app import create_app

app = create_app()
