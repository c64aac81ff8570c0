//! Adapters on MySQL, MariaDB and PostgreSQL.
