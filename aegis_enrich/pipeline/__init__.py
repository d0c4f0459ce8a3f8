"""Puts the stages together: `intake` reads and commits, `engine` detects and delivers beside it."""
