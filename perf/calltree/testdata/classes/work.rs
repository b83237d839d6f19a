// One kind of work and little else, by the first argument.
use std::time::{Duration, Instant};

fn main() {
    let kind = std::env::args().nth(1).unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(2);
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    match kind.as_str() {
        "scheduler" => rt.block_on(async {
            let tasks: Vec<_> = (0..32).map(|_| tokio::spawn(async move { while Instant::now() < until { tokio::task::yield_now().await } })).collect();
            for t in tasks { t.await.unwrap() }
        }),
        "channels" => rt.block_on(async {
            let (tx, mut rx) = tokio::sync::mpsc::channel::<u64>(64);
            tokio::spawn(async move { let mut i = 0; while Instant::now() < until { tx.send(i).await.unwrap(); i += 1 } });
            while rx.recv().await.is_some() {}
        }),
        "spawning" => rt.block_on(async {
            while Instant::now() < until { for _ in 0..100 { let _ = tokio::spawn(async {}); } tokio::task::yield_now().await }
        }),
        "json" => while Instant::now() < until {
            let v: serde_json::Value = serde_json::from_str(r#"{"name": "a", "list": [1, 2, 3.5], "more": {"x": null, "y": "text"}}"#).unwrap();
            std::hint::black_box(serde_json::to_string(&v).unwrap());
        },
        "toml" => while Instant::now() < until {
            let v: toml::Value = toml::from_str("name = \"a\"\n[services.db]\nimage = \"x\"\nport = 5\n[[scenario]]\nrun = \"true\"\n").unwrap();
            std::hint::black_box(v);
        },
        _ => panic!("which work?"),
    }
}
