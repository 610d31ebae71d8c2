"""What pages follow: each part keeps what MQTT brings of one kind, bounded, and hands out what changed."""
