//! What is wrong with a body, in the words of the API: whoever sends JSON knows objects and numbers, and no types of ours.

/// Says what a parser said without the names of our types.
pub fn in_words(said: &str) -> String {
    if said.starts_with("data did not match any variant of untagged enum") {
        return "must have one of the forms that are described for it".to_owned();
    }
    let Some((found, expected)) = said.rsplit_once(", expected ") else { return said.to_owned() };
    let (expected, place) = match expected.rsplit_once(" at line ") {
        Some((expected, place)) => (expected, format!(" at line {place}")),
        None => (expected, String::new()),
    };
    let found = match found {
        "invalid type: map" => "invalid type: object",
        "invalid type: sequence" => "invalid type: list",
        found => found,
    };
    format!("{found}, expected {}{place}", kind(expected))
}

fn kind(expected: &str) -> &str {
    let first = expected.split_once(' ').map_or(expected, |(first, _)| first);
    match expected {
        "struct Money" => "an object with amount and currency",
        "a map" => "an object",
        "a sequence" => "a list",
        "a string" | "a borrowed string" | "string" => "a text",
        "a boolean" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "unit" => "null",
        _ if first == "struct" => "an object",
        _ if first == "tuple" => "a list",
        _ if first == "enum" || expected == "variant identifier" => "one of the words that are described for it",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::money::Money;
    use firstcome_core::product::Discount;
    use serde::de::DeserializeOwned;

    use super::*;

    fn said<T: DeserializeOwned>(json: &str) -> String {
        in_words(&serde_json::from_str::<T>(json).err().expect("refused").to_string())
    }

    #[test]
    fn types_are_named_as_in_json() {
        assert_eq!(
            said::<Money>("5000"),
            "invalid type: integer `5000`, expected an object with amount and currency at line 1 column 4"
        );
        assert!(said::<u32>("-1").contains("expected a whole number from 0 to 4294967295"), "{}", said::<u32>("-1"));
        assert!(said::<String>("{}").starts_with("invalid type: object, expected a text"), "{}", said::<String>("{}"));
        assert!(said::<bool>("\"expected u8\"").contains("expected true or false"));
        assert_eq!(said::<Discount>("7"), "must have one of the forms that are described for it");
        for other in ["unknown field `a`, expected `b`", "missing field `a`"] {
            assert_eq!(in_words(other), other);
        }
    }
}
