"""Does the conformance table bite? Each line of the rules is spoilt in turn, and some recorded answer must notice."""
