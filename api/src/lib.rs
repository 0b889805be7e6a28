//! gRPC: words in, words out.
