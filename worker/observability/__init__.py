"""What watches from outside: Prometheus' rules and configuration, Grafana's dashboard, Flower's configuration."""
