"""The SQL that books a window: from rollups and intervals to cells, inside ClickHouse."""
