"""What a Prometheus, an Alertmanager and a Grafana need to watch gateways: made from the metric table."""
