"""What cannot be started here is at least held against schemas, tools and the real engine."""
