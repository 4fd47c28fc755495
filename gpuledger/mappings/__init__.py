"""Mappings that are shipped: one YAML file per exporter, in the format of gpuledger.mapping."""
