"""Every framework with and without MetaSSL, trained alike and measured on the same test cases."""
