"""Pure schemas: requests, answers and the model artefact. No Flask, no database."""
