//! Rows of our own columns.

use super::*;

const KRW: Currency = Currency::KRW;

#[test]
fn reads_rows_and_names_the_bad_one() {
    let text = "sku,kind,name,price,stock,face_value\na,gift_card,\"Card, 10k\",9000,5,10000\n";
    let catalogue = read(text, "f.csv", Time(0), KRW).expect("readable");
    assert_eq!(catalogue.offers[0].given.offer.stock, 5);
    assert_eq!(catalogue.products[0].product.name, "Card, 10k");
    let text = "sku,kind,name,price,stock\na,goods,A,9000,5\nb,goods,B,many,5\n";
    let message = read(text, "f.csv", Time(0), KRW).err().expect("refused").to_string();
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
            let message = read(&text, "f.csv", Time(0), KRW).err().expect("refused").to_string();
            assert!(message.starts_with(&format!("f.csv:{bad}: ")), "{end:?} {message}");
        }
        let text = format!("sku,kind,name,price,stock{end}a,goods,\"A{end}A\",1,5{end}{end}b,goods,B,1,-5{end}");
        let message = read(&text, "f.csv", Time(0), KRW).err().expect("refused").to_string();
        assert!(message.starts_with("f.csv:5: stock: invalid value: integer `-5`"), "{end:?} {message}");
    }
}

fn said(text: &str) -> Catalogue {
    read(text, "f.csv", Time(0), KRW).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    read(text, "f.csv", Time(0), KRW).err().expect("refused").to_string()
}

#[test]
fn variants_of_shopify_become_products() {
    for header in [
        "Handle,Title,Body (HTML),Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Variant Taxable,Image Src,Gift Card,Status",
        "URL handle,Title,Description,Vendor,Option1 name,Option1 value,SKU,Inventory quantity,Price,Charge tax,Product image URL,Gift card,Status",
    ] {
        let text = format!(
            "{header}\nshirt,셔츠,<p>면 &amp; 마</p>,Acme,Size,S,'0012,5,19900.00,TRUE,https://p.example/1.png,FALSE,active\n\
             shirt,,,,,M,,-2,20900,FALSE,,,\nshirt,,,,,,,,,,https://p.example/2.png,,\n\
             card,Card,,,Title,Default Title,,,50000,TRUE,,TRUE,draft\n"
        );
        let catalogue = said(&text);
        let products: Vec<_> = catalogue.products.iter().map(|row| &row.product).collect();
        let names: Vec<_> =
            products.iter().map(|product| (product.sku.as_deref().unwrap_or(""), product.name.as_str())).collect();
        assert_eq!(names, [("0012", "셔츠 (S)"), ("shirt/M", "셔츠 (M)"), ("card", "Card")]);
        assert_eq!((products[1].description.as_str(), products[1].tax_free), ("면 & 마", true));
        assert_eq!(products[1].image_url.as_deref(), Some("https://p.example/1.png"));
        assert_eq!(products[2].face_value.map(|money| money.amount), Some(50_000));
        let offers: Vec<_> = catalogue.offers.iter().map(|row| &row.given.offer).collect();
        let units: Vec<_> = offers.iter().map(|offer| (offer.price.amount, offer.stock, offer.draft)).collect();
        assert_eq!(units, [(19_900, 5, false), (20_900, 0, false), (50_000, 0, true)]);
        let notes = catalogue.notes.join("; ");
        assert!(notes.contains("f.csv:5: has no count of units") && notes.contains("Vendor"), "{notes}");
    }
    let head = "Handle,Title,Variant SKU,Variant Inventory Qty,Variant Price\n";
    assert!(
        refused(&format!("{head}a,A,1,5,10\na,,2,5,19.99\n"))
            .starts_with("f.csv:3: Variant Price: 19.99 is no price in KRW")
    );
    assert!(
        refused(&format!("{head}a,A,1,few,10\n")).starts_with("f.csv:2: Variant Inventory Qty: must be a whole number")
    );
    assert!(refused(&format!("{head}a,A,1,5,\n")).starts_with("f.csv:2: Variant Price: is needed"));
    assert!(refused(&format!("{head}a,,1,5,10\n")).starts_with("f.csv:2: Title: is needed"));
    assert!(refused(&format!("{head},A,1,5,10\n")).starts_with("f.csv:2: Handle: is needed"));
    assert!(refused(&format!("{head}a,A,1,5,10\na,B,2,5,10\n")).starts_with("f.csv:3: Handle: a is taken by A"));
    assert_eq!(said(&format!("{head}a,A,1,5,10\na,A,2,5,10\n")).products.len(), 2, "the title may be said again");
    let dinars = read(&format!("{head}a,A,1,5,1.250\n"), "f.csv", Time(0), "KWD".parse().expect("a currency"));
    assert_eq!(dinars.expect("read").offers[0].given.offer.price.amount, 1_250);
}

#[test]
fn variations_of_woocommerce_become_products() {
    let head = "ID,Type,SKU,Name,Published,Short description,Description,Tax status,Stock,Regular price,Sale price,Images,Parent\n";
    let catalogue = said(&format!(
        "{head}11,variation,mug-r,머그 - 빨강,1,,,taxable,7,12000,9000,,id:10\n\
         10,variable,mug,머그,1,짧게,길게\\n두 줄,taxable,,,,\"https://p.example/1.png, https://p.example/2.png\",\n\
         12,simple,,Book,-1,,,none,3,15000,,,\n13,grouped,set,Set,1,,,,,,,,\n14,\"simple, virtual\",note,Note,1,,,,,1000,,,\n"
    ));
    let products: Vec<_> = catalogue.products.iter().map(|row| &row.product).collect();
    let skus: Vec<_> = products.iter().filter_map(|product| product.sku.as_deref()).collect();
    assert_eq!(skus, ["mug-r", "id:12", "note"]);
    assert_eq!((products[0].name.as_str(), products[0].description.as_str()), ("머그 - 빨강", "길게\n두 줄"));
    assert_eq!(products[0].image_url.as_deref(), Some("https://p.example/1.png"));
    assert!(products[1].tax_free && !products[0].tax_free);
    let units: Vec<_> = catalogue
        .offers
        .iter()
        .map(|row| (row.given.offer.price.amount, row.given.offer.stock, row.given.offer.draft))
        .collect();
    assert_eq!(units, [(12_000, 7, false), (15_000, 3, true), (1_000, 0, true)]);
    let notes = catalogue.notes.join("; ");
    assert!(notes.contains("f.csv:5: is not taken") && notes.contains("Sale price"), "{notes}");
    let orphan = refused(&format!("{head}11,variation,mug-r,Mug,1,,,,7,12000,,,id:9\n"));
    assert!(orphan.starts_with("f.csv:2: Parent: no variable product id:9"), "{orphan}");
    assert!(refused(&format!("{head}11,simple,a,A,1,,,,7,,,,\n")).starts_with("f.csv:2: Regular price: is needed"));
}

#[test]
fn one_unfinished_product_of_woocommerce_keeps_no_other_out() {
    let head = "ID,Type,SKU,Name,Published,Stock,Regular price,Images,Parent\n";
    let catalogue = said(&format!(
        "{head}1,simple,a,A,1,1,10,http://p.example/1.png,\n2,simple,b,B,0,1,,,\n\
         3,variation,c-1,C 1,1,1,,,id:4\n4,variable,c,C,-1,,,,\n5,simple,d,D,0,1,20,https://p.example/2.png,\n"
    ));
    let taken: Vec<_> = catalogue.products.iter().map(|row| row.product.sku.as_deref().unwrap_or_default()).collect();
    assert_eq!(taken, ["a", "d"]);
    let pictures: Vec<_> = catalogue.products.iter().map(|row| row.product.image_url.as_deref()).collect();
    assert_eq!(pictures, [None, Some("https://p.example/2.png")]);
    let notes = catalogue.notes.join("; ");
    for note in ["f.csv:2: its picture is left out", "f.csv:3: is not taken", "f.csv:4: is not taken"] {
        assert!(notes.contains(note), "{notes}");
    }
    let capitals = said(&format!("{head}1,simple,a,A,1,1,10,HTTP://p.example/1.png,\n"));
    assert!(capitals.products[0].product.image_url.is_none() && capitals.notes[0].contains("its picture is left out"));
    let drafts = said(&format!("{head}1,simple,a,A,0,1,,,\n2,simple,b,B,0,1,,,\n"));
    let nothing = crate::commands::import::has_something(&drafts, "f.csv").expect_err("refused").to_string();
    assert!(nothing.contains("f.csv:2: is not taken") && nothing.contains("f.csv:3: is not taken"), "{nothing}");
    let sold = refused(&format!("{head}3,variation,c-1,C 1,1,1,,,id:4\n4,variable,c,C,1,,,,\n"));
    assert!(sold.starts_with("f.csv:2: Regular price: is needed"), "{sold}");
}

#[test]
fn other_shops_say_what_a_product_is_found_under() {
    let of = |text: &str| -> Vec<Option<Vec<String>>> {
        said(text).products.into_iter().map(|row| row.categories).collect()
    };
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let shopify = "URL handle,Title,Product category,Type,Tags,SKU,Inventory quantity,Price\n\
        a,A,Apparel & Accessories > Clothing > Shirts,상의,\"여름, sale\",a-s,1,1\na,,,,,a-m,1,1\nb,B,,,,b,1,1\n";
    let shirt = named(&["Apparel & Accessories > Clothing > Shirts", "상의"]);
    assert_eq!(of(shopify), [shirt.clone(), shirt, None], "variants are where their product is");
    assert!(said(shopify).notes.join("; ").contains("Tags"), "what is not taken is named");
    let many = (0..12).map(|number| format!("C{number}")).collect::<Vec<_>>().join(", ");
    let woocommerce = format!(
        "ID,Type,SKU,Name,Published,Stock,Regular price,Categories,Parent\n\
         1,simple,a,A,1,1,1,\"Clothing > Shirts, Bed\\, bath\",\n2,variable,b,B,1,,,Clothing,\n\
         3,variation,b-1,B 1,1,1,1,,id:2\n4,simple,c,C,1,1,1,\"{many}\",\n"
    );
    let found = of(&woocommerce);
    assert_eq!(found[..2], [named(&["Clothing > Shirts", "Bed, bath"]), named(&["Clothing"])]);
    assert_eq!(found[2].as_ref().map(Vec::len), Some(10));
    assert!(said(&woocommerce).notes.join("; ").contains("f.csv:5: is in more categories than 10"));
}
