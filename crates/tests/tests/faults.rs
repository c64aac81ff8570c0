//! Ways in which the provider misbehaves.

use firstcome_tests::{Api, Random};
use serde_json::{Value, json};

/// Draws rules for one round; in a quarter of the rounds all is well.
pub(crate) fn draw(random: &mut Random) -> Vec<Value> {
    let choices = [
        ("confirm", "answer_lost"),
        ("confirm", "error_500"),
        ("confirm", "delay"),
        ("confirm", "decline"),
        ("lookup", "error_500"),
        ("lookup", "delay"),
        ("cancel", "answer_lost"),
        ("cancel", "error_500"),
        ("webhook", "drop"),
        ("webhook", "duplicate"),
        ("webhook", "early"),
    ];
    let mut rules = Vec::new();
    for _ in 0..random.below(4) {
        let (on, kind) = *random.pick(&choices);
        rules.push(rule(on, kind, random));
    }
    rules
}

fn rule(on: &str, kind: &str, random: &mut Random) -> Value {
    let probability = [0.1, 0.3, 0.6][random.below(3) as usize];
    let delay = if kind == "delay" { 50 + random.below(400) } else { 0 };
    let mut rule = json!({"on": on, "kind": kind, "probability": probability, "delay_ms": delay});
    if kind == "decline" {
        rule["code"] = json!("REJECT_CARD_PAYMENT");
    }
    rule
}

/// Sets rules; a shop that has just been killed does not matter.
pub(crate) async fn set(api: &Api, rules: &[Value]) {
    if let Ok(answer) = api.sandbox_faults(rules).await {
        assert!(matches!(answer.status, 200 | 204), "faults {rules:?}: {answer}");
    }
}
