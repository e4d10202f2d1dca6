"""What `make check` asks of the packages we stand on: known vulnerabilities (`audit`), licences (`licences`)."""
