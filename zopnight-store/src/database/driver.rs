//! The part of a database that differs in nothing but sqlx's types.

/// Stamps the calls of sqlx for one of its databases: binding, executing, and reading rows.
macro_rules! driver {
    ($db:ty, $row:ty, $arguments:ty) => {
        type Query<'q> = sqlx::query::Query<'q, $db, $arguments>;

        fn bound<'q>(sql: $crate::database::Sql, binds: &'q [$crate::database::Bind<'q>]) -> Query<'q> {
            let mut query = sqlx::query(sql.text);
            if sql.order.is_empty() {
                for value in binds {
                    query = bind(query, *value);
                }
            }
            for at in sql.order {
                // A statement with more marks than values is refused by the database.
                if let Some(value) = binds.get(usize::from(*at).saturating_sub(1)) {
                    query = bind(query, *value);
                }
            }
            query
        }

        fn bind<'q>(query: Query<'q>, value: $crate::database::Bind<'q>) -> Query<'q> {
            use $crate::database::Bind;
            match value {
                Bind::Int(value) => query.bind(value),
                Bind::Text(value) => query.bind(value),
                Bind::Bytes(value) => query.bind(value),
                Bind::Id(value) => query.bind(value),
                Bind::Flag(value) => query.bind(value),
            }
        }

        async fn execute(
            tx: &mut sqlx::Transaction<'static, $db>,
            sql: $crate::database::Sql,
            binds: &[$crate::database::Bind<'_>],
        ) -> sqlx::Result<u64> {
            Ok(bound(sql, binds).execute(&mut **tx).await?.rows_affected())
        }

        async fn fetch(
            tx: &mut sqlx::Transaction<'static, $db>,
            sql: $crate::database::Sql,
            binds: &[$crate::database::Bind<'_>],
        ) -> sqlx::Result<Vec<$row>> {
            bound(sql, binds).fetch_all(&mut **tx).await
        }

        async fn fetch_alone(
            pool: &sqlx::Pool<$db>,
            sql: $crate::database::Sql,
            binds: &[$crate::database::Bind<'_>],
        ) -> sqlx::Result<Vec<$row>> {
            bound(sql, binds).fetch_all(pool).await
        }

        fn connected(pool: &sqlx::Pool<$db>) -> $crate::telemetry::Connected {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            $crate::telemetry::Connected { open: pool.size(), idle }
        }
    };
}
pub(crate) use driver;
