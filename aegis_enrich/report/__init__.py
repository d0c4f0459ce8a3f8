"""One self-contained HTML page of what a state holds, for a person to read, print and send on."""
