"""What a run tells of itself while it goes on: metrics, health, structured logs, and the service manager's protocol."""
