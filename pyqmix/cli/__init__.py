"""The commands: parse, build a Config, call. No logic lives here."""
