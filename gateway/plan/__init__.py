"""`gateway plan`: from a link to the numbers of a stream, and the model of the wire that they rest on."""
