"""What an answer over HTTP costs: our API beside a bare Flask view and other model servers."""
