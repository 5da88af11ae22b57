"""The version of pocdir, as packaging, /healthz and `pocdir --version` say it."""

VERSION = "0.1.0"
