import { Netns } from "./netns.ts";
import { Rtnetlink } from "./rtnetlink/rtnetlink.ts";
const T=(n:string,f:()=>void)=>{const t=performance.now(); f(); process.stdout.write(n+" "+((performance.now()-t)*1000).toFixed(0)+"us\n")};
for (let i=0;i<6;i++){
 let a!:Netns,b!:Netns; T("create ns",()=>{a=Netns.create()}); b=Netns.create();
 const rt=Rtnetlink.open(a); let made:any;
 T("veth",()=>{made=rt.addVeth({name:"a",up:true,peer:{name:"b",netns:b}})});
 T("del",()=>rt.deleteLink(made.index));
 let m2:any; T("veth",()=>{m2=rt.addVeth({name:"a",up:true,peer:{name:"b",netns:b}})});
 T("setdown",()=>rt.setLink(m2.index,{up:false}));
 T("del2",()=>rt.deleteLink(m2.index));
 rt.close(); a.close(); b.close();
}
