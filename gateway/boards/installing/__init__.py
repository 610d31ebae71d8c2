"""How boards, folders, data source and alert rules come to Grafana, and the mapping of a bucket to InfluxDB 2."""
