//! Rows of our own columns.

use super::*;

#[test]
fn reads_rows_and_names_the_bad_one() {
    let text = "sku,kind,name,price,stock,face_value\na,gift_card,\"Card, 10k\",9000,5,10000\n";
    let catalogue = read(text, "f.csv", Time(0)).expect("readable");
    assert_eq!(catalogue.offers[0].given.offer.stock, 5);
    assert_eq!(catalogue.products[0].product.name, "Card, 10k");
    let text = "sku,kind,name,price,stock\na,goods,A,9000,5\nb,goods,B,many,5\n";
    let message = read(text, "f.csv", Time(0)).err().expect("refused").to_string();
    assert!(message.starts_with("f.csv:3: price: must be a whole number"), "{message}");
}

#[test]
fn lines_are_counted_however_they_end() {
    for end in ["\n", "\r\n", "\r"] {
        for (bad, rows) in [
            (2, ["a,goods,A,many,5", "b,goods,B,9000,5"]),
            (3, ["a,goods,A,9000,5", "b,goods,B,9000,-5"]),
            (3, ["a,goods,A,9000,5", "b,goods,B,9000"]),
        ] {
            let text = ["sku,kind,name,price,stock", rows[0], rows[1], ""].join(end);
            let message = read(&text, "f.csv", Time(0)).err().expect("refused").to_string();
            assert!(message.starts_with(&format!("f.csv:{bad}: ")), "{end:?} {message}");
        }
        let text = format!("sku,kind,name,price,stock{end}a,goods,\"A{end}A\",1,5{end}{end}b,goods,B,1,-5{end}");
        let message = read(&text, "f.csv", Time(0)).err().expect("refused").to_string();
        assert!(message.starts_with("f.csv:5: stock: invalid value: integer `-5`"), "{end:?} {message}");
    }
}
