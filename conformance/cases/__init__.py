"""The cases of the conformance suite, a module for each part of docs/format.md."""
