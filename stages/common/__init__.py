"""What every stage uses: how a command ends, files written whole, tables, YAML sections, params and manifests."""
