//! The tables of SQLite and PostgreSQL.
