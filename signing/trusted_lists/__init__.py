"""EU trusted lists (ETSI TS 119 612, TS 119 615): read, verified against configured signers, asked about an instant."""
